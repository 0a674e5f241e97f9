#include "vkgpt/train/train_config.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt::train {
namespace {

TEST(TrainConfig, RefusesContradictions) {
  EXPECT_NO_THROW(TrainConfig().validate());
  TrainConfig config;
  config.learning_rate = 1e-5;
  EXPECT_THROW(config.validate(), Error);
  config.min_lr = 1e-5;
  EXPECT_NO_THROW(config.validate());
  config.out_dir.clear();
  EXPECT_THROW(config.validate(), Error);
}

TEST(TrainConfig, DefaultsAreAllowedValues) {
  TrainConfig config;
  FieldSet fields(config);
  const FieldSet defaults(config);
  for (const Field& field : defaults.fields()) {
    EXPECT_NO_THROW(
        fields.set({std::string(field.info.name), field.default_text, SettingOrigin::kFlag, "--x"}));
    EXPECT_FALSE(field.info.help.empty());
    EXPECT_EQ(field.info.help.find('\n'), std::string_view::npos);
  }
  EXPECT_EQ(config, TrainConfig());
}

}  // namespace
}  // namespace vkgpt::train
