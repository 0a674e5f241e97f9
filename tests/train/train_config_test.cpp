#include "vkgpt/train/train_config.hpp"

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::train {
namespace {

TEST(TrainConfig, RefusesContradictions) {
  EXPECT_NO_THROW(TrainConfig().validate());
  TrainConfig config;
  config.learning_rate = 1e-5;
  EXPECT_NO_THROW(config.validate());
  EXPECT_DOUBLE_EQ(config.end_rate(), 1e-6);
  config.min_lr = 1e-4;
  EXPECT_THROW(config.validate(), Error);
  config.min_lr = -0.5;
  EXPECT_THROW(config.validate(), Error);
  config.min_lr = 1e-5;
  EXPECT_DOUBLE_EQ(config.end_rate(), 1e-5);
  EXPECT_NO_THROW(config.validate());
  config.out_dir.clear();
  EXPECT_THROW(config.validate(), Error);
}

TEST(TrainConfig, RefusesFeaturesThatExcludeEachOther) {
  const auto refused = [](const std::function<void(TrainConfig&)>& change, const std::string& part) {
    TrainConfig config;
    change(config);
    expect_error([&] { config.validate(); }, part);
  };
  refused([](TrainConfig& c) { c.lora_rank = 4, c.optimizer = "muon"; }, "--optimizer muon");
  refused([](TrainConfig& c) { c.lora_rank = 4, c.lora_targets.clear(); }, "--lora_targets");
  refused([](TrainConfig& c) { c.keep_optimizer = true; }, "--init_from");
  refused([](TrainConfig& c) { c.keep_optimizer = true, c.init_from = "x", c.lora_rank = 4; },
          "--keep_optimizer");
  TrainConfig config;
  config.curriculum = true;
  config.curriculum_start_block_size = 128;
  expect_error([&] { config.validate(model::GptConfig{}); }, "--curriculum_start_block_size 128");
}

TEST(TrainConfig, DefaultsAreAllowedValues) {
  TrainConfig config;
  FieldSet fields(config);
  const FieldSet defaults(config);
  for (const Field& field : defaults.fields()) {
    EXPECT_NO_THROW(
        fields.set({std::string(field.info.name), field.default_text, SettingOrigin::kConfigFile, "x"}));
    EXPECT_FALSE(field.info.help.empty());
    EXPECT_EQ(field.info.help.find('\n'), std::string_view::npos);
  }
  EXPECT_EQ(config, TrainConfig());
}

}  // namespace
}  // namespace vkgpt::train
