#include "cli/command/config_file.hpp"

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

TEST(ConfigFile, ReadsYaml) {
  const auto settings = read_flat_yaml(
      "# a comment\nn_layer: 6\nlearning_rate: 1e-3\n\nsample_prompt: \"a\\nb\"\n"
      "out_dir: 'x: y'\n",
      "a.yaml");
  ASSERT_EQ(settings.size(), 4U);
  EXPECT_EQ(settings[0].key + "=" + settings[0].text, "n_layer=6");
  EXPECT_EQ(settings[0].where, "a.yaml, line 2");
  EXPECT_EQ(settings[1].text, "1e-3");
  EXPECT_EQ(settings[2].text, "a\nb");
  EXPECT_EQ(settings[2].where, "a.yaml, line 5");
  EXPECT_EQ(settings[3].text, "x: y");
  EXPECT_TRUE(read_flat_yaml("", "a.yaml").empty());
  EXPECT_TRUE(read_flat_yaml("# nothing\n---\n", "a.yaml").empty());
}

TEST(ConfigFile, SectionsAreLookedInto) {
  const TempDirectory directory;
  write_file(directory / "a.yaml", "model:\n  n_layer: 6\n  n_head: 2\nseed: 1\ntraining: {max_iters: 9}\n");
  write_file(directory / "a.json",
             R"({"model": {"n_layer": 6, "n_head": 2}, "seed": 1, "training": {"max_iters": 9}})");
  for (const char* name : {"a.yaml", "a.json"}) {
    std::string text;
    for (const Setting& setting : read_config_file(directory / name)) {
      text += setting.key + "=" + setting.text + " ";
    }
    EXPECT_EQ(text, "n_layer=6 n_head=2 seed=1 max_iters=9 ") << name;
  }
  EXPECT_EQ(expect_error([] { read_flat_yaml("model:\n  model:\n    a: 1\n", "a.yaml"); }, ""),
            "a.yaml, line 3: 'model' is a map, expected a single value");
  EXPECT_EQ(expect_error([] { read_flat_yaml("model: {a: 1}\na: 2\n", "a.yaml"); }, ""),
            "a.yaml, line 2: key 'a' is there twice");
  EXPECT_EQ(expect_error([] { read_flat_yaml("model: {}\nx: {}\n", "a.yaml"); }, ""),
            "a.yaml, line 2: 'x' is a map, expected a single value");
}

TEST(ConfigFile, NullLeavesASettingAloneAndListsAreJoined) {
  const TempDirectory directory;
  write_file(directory / "a.yaml",
             "device: null\nfreeze: ~\ntokenizer:\nlora_targets: [c_attn, c_fc]\nseed: 2\nx: []\n");
  write_file(directory / "a.json",
             R"({"device": null, "lora_targets": ["c_attn", "c_fc"], "seed": 2, "x": []})");
  for (const char* name : {"a.yaml", "a.json"}) {
    std::string text;
    for (const Setting& setting : read_config_file(directory / name)) {
      text += setting.key + "=" + setting.text + " ";
    }
    EXPECT_EQ(text, "lora_targets=c_attn,c_fc seed=2 x= ") << name;
  }
}

TEST(ConfigFile, RefusesHostileYamlInOneLine) {
  const auto refuse = [](const std::string& text, const std::string& message) {
    const std::string found = expect_error([&] { read_flat_yaml(text, "a.yaml"); }, "a.yaml");
    EXPECT_EQ(found.substr(0, message.size()), message) << text.substr(0, 60);
    EXPECT_LT(found.size(), 250U);
  };
  refuse("a: 1\nb: 2\na: 3\n", "a.yaml, line 3: key 'a' is there twice");
  refuse("a: [[1]]\n", "a.yaml, line 1: 'a' is a list of lists, expected a single value");
  refuse("a: [{b: 1}]\n", "a.yaml, line 1: 'a' is a map, expected a single value");
  refuse("a: [1, ~]\n", "a.yaml, line 1: 'a' is empty");
  refuse("? ~\n: 1\n", "a.yaml, line 1: a key is empty");
  refuse("a:\n  b: 1\n", "a.yaml, line 2: 'a' is a map, expected a single value");
  refuse("a: &x 1\nb: *x\n", "a.yaml, line 2: 'b' is an alias");
  refuse("<<: *x\n", "a.yaml, line 1");
  refuse("? [k]\n: 1\n", "a.yaml, line 1: a key is a list, expected a name");
  refuse("- 1\n", "a.yaml, line 1: expected a map of keys and values, found a list");
  refuse("word\n", "a.yaml, line 1: expected a map of keys and values, found a single value");
  refuse("a: 1\n---\nb: 2\n", "a.yaml, line 2: a second document begins");
  refuse("a: 'open\nb: 1\n", "a.yaml, line 2: not valid YAML");
  refuse("a: b: c\n", "a.yaml, line 1: not valid YAML");
  refuse("\ta: 1\n", "a.yaml, line 1");
  refuse(std::string(1 << 20, '['), "a.yaml, line 1");
  refuse("a: " + std::string(1 << 20, '{'), "a.yaml, line 1");
  refuse(std::string(1 << 20, '-'), "a.yaml, line 1");
  std::string stairs;
  for (int i = 0; i < 500; ++i) stairs += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  refuse(stairs, "a.yaml, line 2");
}

TEST(ConfigFile, ChoosesTheFormatByName) {
  const TempDirectory directory;
  write_file(directory / "a.json", R"({"n-layer": 6})");
  write_file(directory / "a.yaml", "n-layer: 6\n");
  for (const char* name : {"a.json", "a.yaml"}) {
    const auto settings = read_config_file(directory / name);
    ASSERT_EQ(settings.size(), 1U);
    EXPECT_EQ(settings[0].key, "n_layer");
    EXPECT_EQ(settings[0].text, "6");
  }
  write_file(directory / "bad.json", "n_layer: 6\n");
  expect_error([&] { read_config_file(directory / "bad.json"); }, "bad.json: not valid JSON at byte");
  write_file(directory / "huge.yaml", std::string((1 << 20) + 1, ' '));
  expect_error([&] { read_config_file(directory / "huge.yaml"); }, "huge.yaml");
  expect_error([&] { read_config_file(directory / "missing.yaml"); }, "missing.yaml");
  expect_error([&] { read_config_file(directory.path()); }, "");
}

}  // namespace
}  // namespace vkgpt::cli
