#include "serve/http_server.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"

#include "serve/test_client.hpp"
#include "support/expect_error.hpp"

namespace vkgpt::serve {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::body_of;
using test::http_get;
using test::http_post;
using test::status_of;
using test::TestClient;
using testing::HasSubstr;

/// Echoes; /stream answers in pieces, /flood in more than anybody reads, /wait never.
class Echo : public HttpHandler {
 public:
  void handle(ExchangeId exchange, HttpRequest request) override {
    ++handled;
    if (request.path == "/wait") return;
    if (request.path == "/stream") {
      server->begin(exchange, {.content_type = "text/plain"});
      for (const char* piece : {"one ", "two ", "three"}) server->append(exchange, piece);
      return server->finish(exchange);
    }
    if (request.path == "/flood") {
      server->begin(exchange, {.content_type = "text/plain"});
      for (int i = 0; i < 64; ++i) server->append(exchange, std::string(1 << 18, 'x'));
      return;
    }
    server->respond(exchange,
                    {.content_type = "text/plain",
                     .body = request.method + " " + request.path + " " + request.query + " " + request.body});
  }
  void abandoned(ExchangeId) override { ++abandonments; }

  HttpServer* server = nullptr;
  std::atomic<int> handled = 0, abandonments = 0;
};

class HttpServerTest : public testing::Test {
 protected:
  void start(const HttpLimits& limits = {}) {
    server_ = std::make_unique<HttpServer>("127.0.0.1", 0, echo_, limits);
    echo_.server = server_.get();
    port_ = server_->port();
    thread_ = std::thread([this] { server_->run(); });
  }
  ~HttpServerTest() override {
    if (!server_) return;
    server_->stop();
    thread_.join();
  }
  /// Waits for what must come to pass.
  template <typename Condition>
  static bool eventually(Condition&& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  Echo echo_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(HttpServerTest, AnswersWholeAndInPieces) {
  start();
  const std::string whole = ask(port_, http_post("/a?b=c", "{}"));
  EXPECT_EQ(status_of(whole), 200);
  EXPECT_EQ(body_of(whole), "POST /a b=c {}");
  EXPECT_THAT(whole, HasSubstr("Content-Length: 14\r\n"));
  const std::string pieces = ask(port_, http_get("/stream"));
  EXPECT_THAT(pieces, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(pieces.ends_with("0\r\n\r\n")) << pieces;
  EXPECT_EQ(body_of(pieces), "one two three");
}

TEST_F(HttpServerTest, KeepsConnectionsAndTakesRequestsInAdvance) {
  start();
  TestClient client(port_);
  const std::string request = "GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n";
  client.send(request);
  EXPECT_THAT(client.read_until("/first  "), HasSubstr("keep-alive"));
  client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n" + http_get("/third"));
  const std::string both = client.read_all();
  EXPECT_THAT(both, HasSubstr("three"));
  EXPECT_THAT(both, HasSubstr("GET /third"));
}

TEST_F(HttpServerTest, SpeaksHttp10AndHead) {
  start();
  const std::string old = ask(port_, "GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(old.ends_with("\r\n\r\none two three")) << old;
  const std::string head = ask(port_, "HEAD /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, SaysThatALargeBodyMayCome) {
  start();
  TestClient client(port_);
  client.send("POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("100 Continue"));
  client.send("{}");
  EXPECT_THAT(client.read_until("{}"), HasSubstr("POST /a"));
}

TEST_F(HttpServerTest, TakesEveryFormOfARequest) {
  start();
  EXPECT_EQ(body_of(ask(port_, "\r\n" + http_get("/a"))), "GET /a  ");
  EXPECT_EQ(body_of(ask(port_, http_get("http://localhost:80/a?b"))), "GET /a b ");
  EXPECT_EQ(body_of(ask(port_, http_get("http://localhost"))), "GET /  ");
  EXPECT_EQ(status_of(ask(port_, http_get("/a", "Host: other\r\n"))), 400) << "two hosts";
  TestClient client(port_);
  client.send("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}\r\n" + http_get("/b"));
  EXPECT_THAT(client.read_all(), HasSubstr("GET /b"));
}

TEST_F(HttpServerTest, AnswersWhoeverWritesNoMore) {
  start();
  for (int i = 0; i < 10; ++i) {
    TestClient client(port_);
    client.send(http_get("/a"));
    client.end_writing();
    EXPECT_EQ(status_of(client.read_all()), 200);
  }
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequestOrTooLarge) {
  start({.header_bytes = 1000, .body_bytes = 1000});
  EXPECT_EQ(status_of(ask(port_, "nonsense\r\n\r\n")), 400);
  EXPECT_EQ(status_of(ask(port_, "GET /a HTTP/1.1\r\nContent-Length: x\r\n\r\n")), 400);
  EXPECT_EQ(status_of(ask(port_, http_get("/a", "X: " + std::string(2000, 'x') + "\r\n"))), 431);
  EXPECT_EQ(status_of(ask(port_, http_post("/a", std::string(1001, 'x')))), 413);
  EXPECT_EQ(status_of(ask(port_, http_post("/a", std::string(1000, 'x')))), 200);
  EXPECT_EQ(echo_.handled, 1);
}

TEST_F(HttpServerTest, TellsClientsThatAreStillWritingWhyItRefuses) {
  start({.body_bytes = 1000});
  TestClient client(port_);
  EXPECT_TRUE(client.send(http_post("/a", std::string(32 << 20, 'x'))));
  const std::string answer = client.read_all(10s);
  EXPECT_EQ(status_of(answer), 413);
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(Json::parse(body_of(answer))["error"]["code"], "request_too_large");
  EXPECT_EQ(Json::parse(body_of(ask(port_, "nonsense\r\n\r\n")))["error"]["code"], "invalid_request");
}

TEST_F(HttpServerTest, DropsNoMoreThanItsLimit) {
  start({.body_bytes = 1000, .dropping_time = 1s, .dropped_bytes = 1 << 20});
  TestClient large(port_), slow(port_);
  EXPECT_FALSE(large.send(http_post("/a", std::string(64 << 20, 'x'))));
  slow.send(http_post("/a", std::string(1001, 'x')).substr(0, 500));
  EXPECT_EQ(status_of(slow.read_all(10s)), 413);
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, GivesUpOnClientsThatDoNotFinish) {
  start({.request_time = 1s});
  TestClient client(port_);
  client.send("GET /a HT");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.read_all(60s), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
}

TEST_F(HttpServerTest, NoticesThatAClientLeft) {
  start();
  TestClient polite(port_), rude(port_);
  polite.send(http_get("/wait"));
  rude.send(http_get("/wait"));
  EXPECT_TRUE(eventually([&] { return echo_.handled == 2; }));
  EXPECT_EQ(echo_.abandonments, 0);
  rude.reset();
  EXPECT_TRUE(eventually([&] { return echo_.abandonments == 1; }));
}

TEST_F(HttpServerTest, LeavesAClientThatReadsNothing) {
  start();
  TestClient client(port_);
  client.send(http_get("/flood"));
  EXPECT_TRUE(eventually([&] { return echo_.abandonments == 1; }));
}

TEST_F(HttpServerTest, IsNotShutOutBySlowClients) {
  start({.connections = 20});
  std::vector<std::unique_ptr<TestClient>> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<TestClient>(port_));
    slow.back()->send("GET /a HTTP/1.1\r\nHos");
  }
  EXPECT_EQ(status_of(ask(port_, http_get("/a"))), 200);
  EXPECT_LE(server_->connections(), 21);
}

TEST_F(HttpServerTest, ForgetsClientsThatVanish) {
  start();
  for (int i = 0; i < 300; ++i) {
    TestClient client(port_);
    const std::string request = http_get(i % 3 == 0 ? "/wait" : i % 3 == 1 ? "/stream" : "/flood");
    client.send(std::string_view(request).substr(0, 1 + static_cast<std::size_t>(i) * 7 % request.size()));
    if (i % 2 == 0) client.reset();
  }
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
  EXPECT_EQ(status_of(ask(port_, http_get("/a"))), 200);
}

TEST_F(HttpServerTest, DrainsBeforeItStops) {
  start();
  TestClient running(port_), idle(port_);
  running.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return echo_.handled == 1; }));
  server_->drain();
  EXPECT_EQ(idle.read_all(5s), "");
  EXPECT_TRUE(eventually([&] {
    try {
      TestClient late(port_);
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  server_->respond(ExchangeId{1}, {.body = "done"});
  const std::string answer = running.read_all(5s);
  EXPECT_THAT(answer, HasSubstr("done"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, DrainsWhatIsStillBeingRead) {
  constexpr std::size_t kLarge = std::size_t{32} << 20;
  start();
  TestClient slow(port_);
  slow.send(http_get("/wait"));
  EXPECT_TRUE(eventually([&] { return echo_.handled == 1; }));
  server_->respond(ExchangeId{1}, {.body = std::string(kLarge, 'x')});
  std::string answer = slow.read_until("xxxx");
  server_->drain();
  std::this_thread::sleep_for(100ms);
  answer += slow.read_all();
  EXPECT_EQ(body_of(answer).size(), kLarge);
}

TEST(HttpServerAddress, MustBeOneAndFree) {
  Echo echo;
  expect_error([&] { HttpServer("example.com", 0, echo); }, "--host");
  const HttpServer first("127.0.0.1", 0, echo);
  expect_error([&] { HttpServer("127.0.0.1", first.port(), echo); }, "cannot listen");
}

}  // namespace
}  // namespace vkgpt::serve
