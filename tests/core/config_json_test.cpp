#include "vkgpt/core/config_json.hpp"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

namespace vkgpt {
namespace {

std::string refusal(const std::string& text) {
  try {
    read_flat_json(text, SettingOrigin::kConfigFile, "a.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kUsage);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 80);
  return {};
}

TEST(ConfigJson, ReadsSingleValues) {
  const auto settings = read_flat_json(R"({"a": 1, "b": -2, "c": 1e-3, "d": true, "e": "x\ny"})",
                                       SettingOrigin::kConfigFile, "a.json");
  ASSERT_EQ(settings.size(), 5U);
  EXPECT_EQ(settings[0].key, "a");
  EXPECT_EQ(settings[0].text, "1");
  EXPECT_EQ(settings[1].text, "-2");
  EXPECT_EQ(settings[2].text, "1e-3");
  EXPECT_EQ(settings[3].text, "true");
  EXPECT_EQ(settings[4].text, "x\ny");
  EXPECT_EQ(settings[4].where, "a.json");
}

TEST(ConfigJson, RefusesHostileTextInOneLine) {
  EXPECT_EQ(refusal(R"({"a": 1, "a": 1})"), "a.json: key 'a' is there twice");
  EXPECT_EQ(refusal(R"({"a": [[1]]})"), "a.json: 'a' is a list of lists, expected a single value");
  EXPECT_EQ(refusal(R"({"a": [null]})"), "a.json: 'a' is null, expected a single value");
  EXPECT_EQ(refusal(R"({"a": {"b": 1}})"), "a.json: 'a' is an object, expected a single value");
  EXPECT_EQ(refusal(R"({"model": {"model": {}}})"), "a.json: 'model' is an object, expected a single value");
  EXPECT_EQ(refusal("[1]"), "a.json: expected an object of keys and values, found a list");
  EXPECT_EQ(refusal("3"), "a.json: expected an object of keys and values, found a single value");
  EXPECT_EQ(refusal(R"({"a": 1e999})").substr(0, 7), "a.json:");
  for (const std::string text : {"", "{", "{\"a\"", "{\"a\":}", "{}{}", "\xff", "{\"a\": \"\xff\"}"}) {
    EXPECT_EQ(refusal(text).substr(0, 30), "a.json: not valid JSON at byte") << text;
  }
  refusal(std::string(1 << 20, '['));
  refusal("{\"a\":" + std::string(1 << 20, '['));
}

TEST(ConfigJson, RoundTripsEveryField) {
  model::GptConfig model;
  model.vocab_size = 65;
  model.n_layer = 7;
  model.tie_weights = false;
  model.layer_norm_eps = 1.0 / 3.0;
  EXPECT_EQ(config_from_json<model::GptConfig>(config_to_json(model).dump(), "m"), model);

  train::TrainConfig train;
  train.seed = UINT64_MAX;
  train.learning_rate = 0.1 + 0.2;
  train.sample_prompt = "line\n\"quoted\" \xc3\xa9";
  EXPECT_EQ(config_from_json<train::TrainConfig>(config_to_json(train).dump(), "t"), train);
}

TEST(ConfigJson, BlamesASavedFileWithExitCodeOne) {
  try {
    config_from_json<model::GptConfig>(R"({"n_layer": "x"})", "run/config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kFailure);
    EXPECT_STREQ(error.what(), "n_layer = 'x' in run/config.json: expected an integer from 1 to 1024");
  }
}

}  // namespace
}  // namespace vkgpt
