#include "serve/run_log_reader.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "support/temp_directory.hpp"

namespace vkgpt::serve {
namespace {

constexpr std::size_t kAll = 1 << 20;

class RunLogReaderTest : public testing::Test {
 protected:
  void append(const std::string& text) { std::ofstream(log_, std::ios::app) << text; }

  TempDirectory directory_;
  Path log_ = directory_.path() / "metrics.jsonl";
  RunLogReader reader_{directory_.path()};
};

TEST(FlatRecord, IsReadWhereItIsOne) {
  std::map<std::string, double> numbers;
  const auto read = [&](std::string_view line) {
    numbers.clear();
    return read_flat_record(line, [&](std::string_view key, double value) { numbers.emplace(key, value); });
  };
  EXPECT_TRUE(read(R"({"step":3,"loss":2.5e-1,"skipped":false,"name":"x","bad":null})"));
  EXPECT_EQ(numbers.size(), 4);
  EXPECT_EQ(numbers["step"], 3);
  EXPECT_EQ(numbers["loss"], 0.25);
  EXPECT_EQ(numbers["skipped"], 0);
  EXPECT_TRUE(std::isnan(numbers["bad"]));
  EXPECT_TRUE(read(" { \"a\" : -1 } "));
  EXPECT_TRUE(read("{}"));
  for (const char* line : {"", "{", "[]", R"({"a":1)", R"({"a":{}})", R"({"a":[1]})", R"({"a\u0041":1})",
                           R"({"a":1}x)", R"({"a":tru})", R"({"a"})", R"({"a":1,})"}) {
    EXPECT_FALSE(read(line)) << line;
  }
}

TEST_F(RunLogReaderTest, FollowsALogThatGrows) {
  EXPECT_EQ(reader_.read(kAll), 0);  // there is none yet
  append("{\"step\":1,\"loss\":4}\n{\"step\":2,\"loss\":null}\n{\"step\":3,\"lo");
  EXPECT_GT(reader_.read(kAll), 0);
  ASSERT_EQ(reader_.series().at("loss").steps, (std::vector<double>{1, 2}));
  EXPECT_TRUE(std::isnan(reader_.series().at("loss").values[1]));
  EXPECT_EQ(reader_.read(kAll), 0);
  append("ss\":3}\n");
  reader_.read(kAll);
  EXPECT_EQ(reader_.series().at("loss").steps, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(reader_.generation(), 0);
}

TEST_F(RunLogReaderTest, SumsTheSecondsOfAllStepsWhateverIsShown) {
  std::vector<double> sums = {0};
  std::string lines;
  for (int step = 2; step <= 4000; step += 2) {  // every other step is logged
    const double seconds = step % 100 == 0 ? 8 : 0.25;
    sums.push_back(sums.back() + 2 * seconds);
    lines += "{\"step\":" + std::to_string(step) + ",\"step_seconds\":" + std::to_string(seconds) + "}\n";
  }
  append(lines);
  reader_.read(kAll);
  for (const std::size_t points : {20UZ, 100000UZ}) {
    const LogSeries thin = thinned(reader_.series().at("elapsed_seconds"), 1000, 4000, points);
    ASSERT_GE(thin.steps.size(), 20U);
    EXPECT_EQ(thin.steps.front(), 1000);
    EXPECT_EQ(thin.steps.back(), 4000);
    for (std::size_t i = 0; i < thin.steps.size(); ++i) {
      EXPECT_EQ(thin.values[i], sums[static_cast<std::size_t>(thin.steps[i]) / 2]) << thin.steps[i];
    }
  }
  append("{\"step\":4004,\"step_seconds\":null}\n{\"step\":4005,\"step_seconds\":1}\n");
  reader_.read(kAll);
  EXPECT_EQ(reader_.series().at("elapsed_seconds").values.back(), sums.back() + 1);
  std::ofstream(log_, std::ios::trunc) << "{\"step\":1,\"step_seconds\":4}\n";
  reader_.read(kAll);
  EXPECT_EQ(reader_.series().at("elapsed_seconds").values, (std::vector<float>{4}));
}

TEST_F(RunLogReaderTest, BeginsAgainWhereTheLogIsCutOrReplaced) {
  append("{\"step\":1,\"loss\":4}\n{\"step\":2,\"loss\":3}\n");
  reader_.read(kAll);
  std::ofstream(log_, std::ios::trunc) << "{\"step\":1,\"loss\":4}\n";
  reader_.read(kAll);
  EXPECT_EQ(reader_.generation(), 1);
  EXPECT_EQ(reader_.series().at("loss").steps, (std::vector<double>{1}));
  std::ofstream(log_.string() + ".new") << "{\"step\":1,\"loss\":9}\n{\"step\":2,\"loss\":8}\n";
  std::filesystem::rename(log_.string() + ".new", log_);
  reader_.read(kAll);
  EXPECT_EQ(reader_.generation(), 2);
  EXPECT_EQ(reader_.series().at("loss").values, (std::vector<float>{9, 8}));
}

TEST_F(RunLogReaderTest, KeepsStatisticsByTensor) {
  append(R"({"step":1,"gradients":{"a":{"norm":2,"max":1},"b":{"norm":null}}})"
         "\n"
         R"({"step":2,"gradients":{"a":{"norm":3},"c":{"norm":4}}})"
         "\nno record\n");
  std::ofstream(directory_.path() / "kernels.jsonl") << R"({"step":1,"kernels":{"k":0.5}})" << "\n";
  reader_.read(kAll);
  const LogGrid& grid = reader_.grids().at("gradients");
  EXPECT_EQ(grid.steps, (std::vector<double>{1, 2}));
  ASSERT_EQ(grid.rows.size(), 3);
  EXPECT_EQ(grid.rows[0], (std::pair<std::string, std::vector<float>>{"a", {2, 3}}));
  EXPECT_TRUE(std::isnan(grid.rows[1].second[0]));
  EXPECT_TRUE(std::isnan(grid.rows[2].second[0]));
  EXPECT_EQ(grid.rows[2].second[1], 4);
  EXPECT_EQ(reader_.grids().at("kernels").rows[0].second, (std::vector<float>{0.5}));
}

TEST(LogGrid, StaysOfABoundedWidth) {
  LogGrid grid;
  for (int step = 0; step < 5000; ++step) grid.add(step, {{"a", step}});
  EXPECT_LE(grid.steps.size(), 400);
  EXPECT_EQ(grid.steps.size(), grid.rows[0].second.size());
  EXPECT_EQ(grid.steps.front(), 0);
  EXPECT_EQ(grid.steps.back(), 4999);
}

TEST(Thinned, KeepsTheExtremes) {
  LogSeries series;
  for (int i = 0; i < 10000; ++i) {
    series.steps.push_back(i);
    series.values.push_back(i == 7777 ? 100.0F : i == 1234 ? -100.0F : static_cast<float>(i % 10));
  }
  const LogSeries thin = thinned(series, 0, 1e9, 200);
  EXPECT_LE(thin.steps.size(), 200);
  EXPECT_EQ(*std::ranges::max_element(thin.values), 100);
  EXPECT_EQ(*std::ranges::min_element(thin.values), -100);
  EXPECT_TRUE(std::ranges::is_sorted(thin.steps));
  EXPECT_EQ(thinned(series, 10, 12, 200).steps, (std::vector<double>{10, 11, 12}));
  EXPECT_TRUE(thinned(series, 5e4, 6e4, 200).steps.empty());
  EXPECT_TRUE(thinned({}, 0, 1, 10).steps.empty());
}

}  // namespace
}  // namespace vkgpt::serve
