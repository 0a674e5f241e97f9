// The rotary frequencies that transformers computes from config.json files (tests/golden/rope.json).

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/hf_config.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/ops/attention/rope.hpp"

#include "model/gpt_block.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

void expect_table(const GptConfig& config, const Json& golden) {
  const ops::RopeAngles angles = rope_angles(config);
  EXPECT_NEAR(angles.magnitude, golden["attention_factor"].get<double>(), 1e-12);
  const Json& frequencies = golden["frequencies"];
  ASSERT_EQ(config.head_size(), 2 * std::ssize(frequencies));
  for (std::int64_t i = 0; i < std::ssize(frequencies); ++i) {
    const double expected = frequencies[static_cast<std::size_t>(i)].get<double>();
    EXPECT_NEAR(ops::rope_frequency(angles, i, config.head_size()), expected, 1e-12 * expected) << i;
  }
}

GptConfig read_back(const std::string& json) {
  const TempDirectory temp;
  replace_file(temp / kModelConfigFile, json);
  return read_model_config(temp.path());
}

TEST(RopeGolden, FilesGiveTheFrequenciesOfTransformers) {
  const Json cases = read_json_file(test::source_dir() / "tests/golden/rope.json");
  ASSERT_GE(cases.size(), 15U);
  for (const auto& [name, golden] : cases.items()) {
    SCOPED_TRACE(name);
    GptConfig config = read_back(golden["config"].dump());
    if (golden.contains("length") && golden["length"] != config.block_size) {
      config = with_longer_context(config, golden["length"].get<std::int64_t>());
    }
    expect_table(config, golden);
    // What is written is read with and without the member that only this program reads.
    Json written = Json::parse(model_config_json(config));
    EXPECT_EQ(read_back(written.dump()), config);
    if (written["model_type"] == "vkgpt") continue;
    written.erase("vkgpt");
    expect_table(read_back(written.dump()), golden);
    written.erase("rope_scaling");
    expect_table(read_back(written.dump()), golden);
  }
}

TEST(RopeGolden, DynamicIsPlainUpToTheContext) {
  GptConfig config;
  config.pos_encoding = "rope";
  config.rope_scaling = "dynamic";
  config.rope_factor = 4;
  EXPECT_EQ(config.rope_base(), config.rope_theta);
  config = with_shorter_context(config, 32);
  EXPECT_EQ(config.rope_base(), config.rope_theta);
  EXPECT_EQ(config.rope_original_context, 128);
  config = with_longer_context(config, 128);
  EXPECT_EQ(config.rope_base(), config.rope_theta);
  config = with_longer_context(config, 256);
  // (4 * 2 - 3)^(32 / 30) times the base, as transformers has it for texts of 256 tokens.
  EXPECT_NEAR(config.rope_base(), 1e4 * std::pow(5.0, 32.0 / 30.0), 1e-6);
}

}  // namespace
}  // namespace vkgpt::model
