#include "vkgpt/train/run_history.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

TEST(RunHistory, ReadsTheCurves) {
  const RunHistory history = parse_run_history(
      "{\"step\":1,\"loss\":4.5,\"learning_rate\":0.1,\"grad_norm\":2}\n"
      "{\"step\":2,\"loss\":null,\"learning_rate\":0.2,\"grad_norm\":null}\n"
      "{\"step\":2,\"train_loss\":1,\"val_loss\":3}\n{\"step\":2,\"gradients\":{\"a\":{}}}\n",
      "log");
  EXPECT_EQ(history.loss.steps, (std::vector<double>{1, 2}));
  EXPECT_EQ(history.loss.values[0], 4.5);
  EXPECT_TRUE(std::isnan(history.loss.values[1]));
  EXPECT_EQ(history.val_loss.steps, std::vector<double>{2});
  EXPECT_EQ(history.learning_rate.values, (std::vector<double>{0.1, 0.2}));
  EXPECT_TRUE(std::isnan(history.grad_norm.values[1]));
}

TEST(RunHistory, ReadsATable) {
  const RunHistory history = parse_run_table(
      "step,loss,learning_rate,val_loss,note\n1,2.5,0.001,,a\r\n2,2.25,0.001,2.75,\n3,2.", "metrics.csv");
  EXPECT_EQ(history.loss.values, (std::vector<double>{2.5, 2.25}));
  EXPECT_EQ(history.val_loss.steps, std::vector<double>{2});
  const auto refuse = [](const std::string& text, const std::string& message) {
    expect_error([&] { parse_run_table(text, "m.csv"); }, message);
  };
  refuse("loss\n1\n", "m.csv, line 1: expected names of columns");
  refuse("step,loss\n1\n", "m.csv, line 2: 1 cells under 2 names");
  refuse("step,loss\nx,1\n", "m.csv, line 2: no number under \"step\"");
  refuse("step,loss\n2,1\n1,1\n", "m.csv, line 3: step 1 comes out of order");
  refuse("step,loss\n", "has no losses yet");
}

TEST(RunHistory, IgnoresALastLineThatWasCutOff) {
  EXPECT_EQ(parse_run_history("{\"step\":1,\"loss\":4}\n{\"step\":2,\"lo", "log").loss.steps.size(), 1U);
}

TEST(RunHistory, RefusesBadLogsWithTheLine) {
  const auto message = [](const char* text) {
    return expect_error([&] { parse_run_history(text, "log"); }, "");
  };
  EXPECT_EQ(message(""), "log has no losses yet: nothing to draw");
  EXPECT_EQ(message("{\"step\":1,\"loss\":1}\nnot json\n"),
            "log, line 2: expected a JSON object with \"step\", as vkgpt train writes them");
  EXPECT_EQ(message("{\"loss\":1}\n"),
            "log, line 1: expected a JSON object with \"step\", as vkgpt train writes them");
  EXPECT_EQ(message("{\"step\":1,\"loss\":\"x\"}\n"), "log, line 1: \"loss\" is not a number");
  EXPECT_EQ(message("{\"step\":2,\"loss\":1}\n{\"step\":1,\"loss\":1}\n"),
            "log, line 2: step 1 comes out of order");
}

TEST(RunHistory, ADirectoryGivesTheName) {
  const TempDirectory directory;
  make_directories(directory / "wide");
  write_file(directory / "wide/metrics.jsonl", "{\"step\":1,\"loss\":4}\n");
  EXPECT_EQ(read_run_history(directory / "wide").name, "wide");
  EXPECT_EQ(read_run_history(directory / "wide/").name, "wide");
  EXPECT_EQ(read_run_history(directory / "wide/metrics.jsonl").name, "wide");
  expect_error([&] { read_run_history(directory / "none"); }, "none does not exist");
}

TEST(Smooth, KeepsStraightLinesAndAveragesNoise) {
  std::vector<double> line;
  std::vector<double> noise;
  for (int i = 0; i < 200; ++i) {
    line.push_back(100 - 0.25 * i);
    noise.push_back(i % 2 == 0 ? 1 : -1);
  }
  const std::vector<double> straight = smooth(line, 0.9);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_NEAR(straight[i], line[i], 1e-9) << "no lag";
  EXPECT_NEAR(straight.back(), line.back(), 3);
  const std::vector<double> flat = smooth(noise, 0.9);
  for (std::size_t i = 50; i < 150; ++i) EXPECT_LT(std::abs(flat[i]), 0.06);
  EXPECT_EQ(smooth(noise, 0), noise);
}

TEST(Smooth, LeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> smoothed = smooth({1, 1, nan, 1, 1}, 0.5);
  EXPECT_EQ(smoothed[1], 1);
  EXPECT_TRUE(std::isnan(smoothed[2]));
  EXPECT_EQ(smoothed[4], 1);
}

TEST(Smooth, LongerCurvesAreSmoothedMore) {
  EXPECT_EQ(fitting_smoothing(0), 0);
  EXPECT_LT(fitting_smoothing(100), fitting_smoothing(10000));
  EXPECT_LT(fitting_smoothing(1000000), 1);
}

}  // namespace
}  // namespace vkgpt::train
