#include "vkgpt/train/progress.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace vkgpt::train {
namespace {

Progress example() {
  return {.step = 250,
          .max_steps = 2000,
          .loss = 2.42131,
          .learning_rate = 9.81e-4,
          .grad_norm = 0.834,
          .step_seconds = 0.1523,
          .tokens_per_second = 53790,
          .mfu = std::nullopt,
          .memory_bytes = 432013312,
          .eta_seconds = 266.4};
}

TEST(Progress, LineHasTheFieldsPeopleExpect) {
  EXPECT_EQ(
      format_progress(example()),
      "step 250/2000 (12.5%) | loss 2.4213 | lr 9.81e-04 | norm 0.83 | 152.3 ms | 53.8k tok/s | MFU n/a | "
      "mem 412 MiB | eta 4m26s");
  Progress progress = example();
  progress.mfu = 0.4312;
  EXPECT_NE(format_progress(progress).find("MFU 43.1%"), std::string::npos);
}

TEST(Progress, FormatsUnits) {
  EXPECT_EQ(format_duration(0.4), "0s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(4020), "1h07m");
  EXPECT_EQ(format_duration(273600), "3d04h");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(format_count(831.4), "831");
  EXPECT_EQ(format_count(999.7), "1.0k");
  EXPECT_EQ(format_count(1.23e6), "1.2M");
}

/// What `run` writes to stderr.
template <typename Run>
std::string written(Run run) {
  testing::internal::CaptureStderr();
  run();
  return testing::internal::GetCapturedStderr();
}

TEST(ProgressLine, DrawsNoBarOffATerminal) {
  const std::string text = written([] {
    ProgressLine line(false, true, 80);
    line.update(example());
    line.log(example());
  });
  EXPECT_EQ(text, format_progress(example()) + "\n");
}

TEST(ProgressLine, DrawsOverItsBarAndLeavesNothing) {
  const std::string text = written([] {
    ProgressLine line(true, false, 40);
    line.update(example());
    line.update(example());  // too soon: not drawn
  });
  EXPECT_EQ(text, "\r\x1b[K[#...........] 12.5% | loss 2.4213\r\x1b[K");
}

TEST(ProgressLine, EightyColumnsHoldWhatMattersOfTheLongestRun) {
  Progress progress = example();
  progress.step = 999999999;
  progress.max_steps = 1000000000;
  progress.loss = 10.82471;
  progress.tokens_per_second = 9.871e6;
  progress.eta_seconds = 86400 * 99;
  const std::string text = written([&] {
    ProgressLine line(true, false, 80);
    line.update(progress);
  });
  const std::string line = text.substr(0, text.rfind('\r'));
  for (const char* part : {"100.0%", "loss 10.8247", "9.9M tok/s", "eta 99d00h"}) {
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }
  EXPECT_LT(line.size(), 80 + std::string("\r\x1b[K").size());
}

}  // namespace
}  // namespace vkgpt::train
