#include "vkgpt/serve/dashboard.hpp"

#include <atomic>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"

#include "serve/test_client.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::serve {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::body_of;
using test::http_get;
using test::status_of;
using test::TestClient;
using testing::HasSubstr;

class DashboardTest : public testing::Test {
 protected:
  DashboardTest() {
    for (const char* name : {"a", "b"}) {
      std::filesystem::create_directories(root_.path() / name);
      log(name, R"({"step":1,"loss":4.0})");
    }
    std::ofstream(root_.path() / "a/effective_config.json") << R"({"n_layer":2})";
    std::atomic<int> port = 0;
    thread_ = std::thread([&] {
      show_dashboard(
          {root_.path() / "a", root_.path() / "b/", root_.path() / "later"}, 0,
          [&](const std::string& address) { port = std::stoi(address.substr(address.rfind(':') + 1)); },
          [&] { return is_over_.load(); });
    });
    while (port == 0) std::this_thread::sleep_for(1ms);
    port_ = static_cast<std::uint16_t>(port.load());
  }
  ~DashboardTest() override {
    is_over_ = true;
    thread_.join();
  }
  void log(const std::string& run, const std::string& line) {
    std::ofstream(root_.path() / run / "metrics.jsonl", std::ios::app) << line << "\n";
  }
  Json get(const std::string& path) {
    const std::string answer = ask(port_, http_get(path));
    EXPECT_EQ(status_of(answer), 200) << answer;
    return Json::parse(body_of(answer));
  }

  TempDirectory root_;
  std::atomic<bool> is_over_ = false;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(DashboardTest, ShowsRunsAndWhatIsAddedToThem) {
  const Json runs = get("/runs")["runs"];
  ASSERT_EQ(runs.size(), 2);
  EXPECT_EQ(runs[0]["name"], "a");
  EXPECT_EQ(runs[0]["settings"]["n_layer"], "2");
  EXPECT_EQ(runs[1]["name"], "b");
  TestClient listener(port_);
  listener.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  listener.read_until(": here");
  log("b", R"({"step":2,"loss":3.5})");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(listener.read_until("3.5", 5s), HasSubstr(R"("run":1)"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  EXPECT_EQ(get("/series?run=1")["series"]["loss"]["values"], Json({4.0, 3.5}));
  EXPECT_EQ(get("/series?run=1&from=2")["series"]["loss"]["steps"], Json({2.0}));
  log("a", R"({"step":2,"gradients":{"w":{"norm":2.0}}})");
  EXPECT_THAT(listener.read_until("grids", 5s), HasSubstr(R"("run":0)"));
  EXPECT_EQ(get("/grids?run=0")["gradients"]["rows"][0]["name"], "w");
  std::filesystem::create_directories(root_.path() / "a/samples");
  std::ofstream(root_.path() / "a/samples/step-7.txt") << "To be";
  EXPECT_THAT(listener.read_until("samples", 5s), HasSubstr(R"("run":0)"));
  EXPECT_EQ(get("/samples?run=0")[0], Json({{"step", 7}, {"text", "To be"}}));
}

TEST_F(DashboardTest, ShowsRunsThatBeginLater) {
  TestClient listener(port_);
  listener.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  listener.read_until(": here");
  std::filesystem::create_directories(root_.path() / "later/z");
  EXPECT_EQ(get("/runs")["runs"].size(), 2);
  log("later/z", R"({"step":1,"loss":2.5})");
  EXPECT_THAT(listener.read_until(R"({"runs":true})", 10s), HasSubstr(R"(data: {"runs":true})"));
  const Json runs = get("/runs")["runs"];
  ASSERT_EQ(runs.size(), 3);
  EXPECT_EQ(runs[1]["name"], "b") << "those that there were keep their numbers";
  EXPECT_EQ(runs[2]["name"], "z");
  listener.read_until(R"("run":2)", 5s);
  EXPECT_EQ(get("/series?run=2")["series"]["loss"]["values"], Json({2.5}));
  std::filesystem::create_directories(root_.path() / "later/y");
  log("later/y", R"({"step":1,"loss":1.5})");
  listener.read_until(R"({"runs":true})", 10s);
  EXPECT_EQ(get("/runs")["runs"][2]["name"], "z");
  EXPECT_EQ(get("/runs")["runs"][3]["name"], "y");
}

TEST_F(DashboardTest, RefusesWhatIsNotThereOrNotItsOwn) {
  for (const char* path :
       {"/series?run=2", "/series", "/series?run=-1x", "/grids?run=9", "/../a", "/metrics.jsonl"}) {
    EXPECT_EQ(status_of(ask(port_, http_get(path))), 404) << path;
  }
  EXPECT_EQ(status_of(ask(port_, "GET /runs HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n")), 403);
  EXPECT_EQ(
      status_of(ask(
          port_, "POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")),
      405);
  EXPECT_THAT(ask(port_, http_get("/")), HasSubstr("dashboard.js"));
}

}  // namespace
}  // namespace vkgpt::serve
