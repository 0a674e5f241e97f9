#include "vkgpt/train/metrics_csv.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "vkgpt/train/metrics.hpp"

#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

constexpr const char* kHeader =
    "step,loss,learning_rate,grad_norm,clip_scale,loss_scale,skipped,step_seconds,tokens_per_second,train_"
    "loss,"
    "val_loss,ema_val_loss\n";

class MetricsCsvTest : public testing::Test {
 protected:
  Path csv() const { return directory_ / "metrics.csv"; }
  Path jsonl() const { return directory_ / "metrics.jsonl"; }
  std::string rows() const {
    const std::string text = read_file(csv());
    EXPECT_EQ(text.substr(0, std::string(kHeader).size()), kHeader);
    return text.substr(std::string(kHeader).size());
  }

  TempDirectory directory_;
};

TEST_F(MetricsCsvTest, OneRowAStep) {
  {
    MetricsCsv csv(this->csv(), jsonl());
    csv.write({{"step", 1}, {"loss", 4.25}, {"grad_norm", 0.5}, {"skipped", true}, {"text", "a,b"}});
    csv.write({{"step", 2},
               {"loss", std::numeric_limits<double>::quiet_NaN()},
               {"learning_rate", 1e-3},
               {"tokens_per_second", 10}});
    EXPECT_EQ(rows(), "1,4.25,,0.5,,,1,,,,,\n");
    csv.write({{"step", 2}, {"train_loss", 3.5}, {"val_loss", 3.75}});
    csv.write({{"step", 3}, {"gradients", {{"wte", 1}}}});
    EXPECT_EQ(rows(), "1,4.25,,0.5,,,1,,,,,\n2,,0.001,,,,,,10,3.5,3.75,\n");
    csv.write({{"step", 4}, {"val_loss", 1}});
  }
  EXPECT_EQ(rows(), "1,4.25,,0.5,,,1,,,,,\n2,,0.001,,,,,,10,3.5,3.75,\n4,,,,,,,,,,1,\n");
}

TEST_F(MetricsCsvTest, AResumedRunHasNoStepTwice) {
  write_file(csv(), "what a killed run left,\n1,2");
  write_file(jsonl(),
             "{\"step\":1,\"loss\":5}\nnot json\n[1]\n{\"step\":2,\"loss\":4}\n{\"step\":3,\"loss\":3}\n");
  MetricsLog log(jsonl(), 2);
  {
    MetricsCsv csv(this->csv(), jsonl());
    EXPECT_EQ(rows(), "1,5,,,,,,,,,,\n");
    csv.write({{"step", 2}, {"val_loss", 4.5}});
    csv.write({{"step", 3}, {"loss", 2}});
  }
  EXPECT_EQ(rows(), "1,5,,,,,,,,,,\n2,4,,,,,,,,,4.5,\n3,2,,,,,,,,,,\n");
}

}  // namespace
}  // namespace vkgpt::train
