#include "cli/sweep/sweep_config.hpp"

#include <set>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

class SweepConfigTest : public testing::Test {
 protected:
  Path file() const { return directory_ / "s.yaml"; }
  SweepConfig read(const std::string& text) const {
    write_file(file(), text);
    return read_sweep_config(file());
  }
  std::vector<SweepRun> plan(const std::string& text) const { return plan_sweep(read(text)); }
  /// The message without the file's name.
  std::string refusal(const std::string& text) const {
    const std::string message = expect_error([&] { plan(text); }, "");
    EXPECT_EQ(message.find('\n'), std::string::npos);
    const std::string name = file().string();
    return message.starts_with(name) ? message.substr(name.size()) : message;
  }

  TempDirectory directory_;
};

constexpr const char* kBase = "base: {data_path: t.txt}\n";

TEST_F(SweepConfigTest, AGridHasEveryCombination) {
  const std::vector<SweepRun> runs =
      plan(std::string(kBase) +
           "parameters:\n  learning_rate: {min: 1e-4, max: 1e-2, scale: log, count: 3}\n"
           "  n_layers: [2, 4]\n  batch_size: 8\n");
  ASSERT_EQ(runs.size(), 6U);
  EXPECT_EQ(runs[0].name, "001-learning_rate=1e-4-n_layer=2-batch_size=8");
  EXPECT_EQ(runs[3].name, "004-learning_rate=0.001-n_layer=4-batch_size=8");
  EXPECT_EQ(runs[5].values, (std::vector<std::pair<std::string, std::string>>{
                                {"learning_rate", "0.01"}, {"n_layer", "4"}, {"batch_size", "8"}}));
}

TEST_F(SweepConfigTest, SearchesLowRatesAndTokenShards) {
  const std::string rates = "parameters: {learning_rate: [1e-5, 3e-3]}\n";
  EXPECT_EQ(plan(kBase + rates).size(), 2U) << "min_lr follows";
  EXPECT_EQ(plan("base: {memmap_dataset: t.bin, tokenizer: byte}\n" + rates).size(), 2U);
}

TEST_F(SweepConfigTest, TheBaseTakesWhatAConfigurationTakes) {
  const std::string settings = "data_path: t.txt\nwindow_layers: [0, 2]\nseed: null\nmodel: {n_layers: 3}\n";
  write_file(directory_ / "base.yaml", settings);
  const std::string parameters = "parameters: {batch_size: 2}\n";
  const auto texts = [](const SweepConfig& config) {
    std::vector<std::pair<std::string, std::string>> found;
    for (const Setting& setting : config.base) found.emplace_back(setting.key, setting.text);
    return found;
  };
  const auto whole = texts(read("base: " + (directory_ / "base.yaml").string() + "\n" + parameters));
  EXPECT_EQ(whole, (std::vector<std::pair<std::string, std::string>>{
                       {"data_path", "t.txt"}, {"window_layers", "0,2"}, {"n_layer", "3"}}));
  EXPECT_EQ(texts(read("base:\n  data_path: t.txt\n  window_layers: [0, 2]\n  seed: null\n"
                       "  model: {n_layers: 3}\n" +
                       parameters)),
            whole);
  EXPECT_NE(refusal("base: {data_path: t.txt, window_layers: [[0]]}\n" + parameters).find("window_layers"),
            std::string::npos);
}

TEST_F(SweepConfigTest, LinearAndWholeRanges) {
  const auto values = [&](const std::string& parameter) {
    std::string text;
    for (const SweepRun& run : plan(std::string(kBase) + "parameters: {" + parameter + "}")) {
      text += run.values[0].second + " ";
    }
    return text;
  };
  EXPECT_EQ(values("weight_decay: {min: 0, max: 0.2, count: 3}"), "0 0.1 0.2 ");
  EXPECT_EQ(values("batch_size: {min: 1, max: 64, scale: log, count: 4}"), "1 4 16 64 ");
  EXPECT_EQ(values("batch_size: {min: 1, max: 3, count: 9}"), "1 2 3 ");
  EXPECT_EQ(values("tie_weights: [true, false]"), "true false ");
  EXPECT_EQ(values("norm: {values: [layernorm, rmsnorm]}"), "layernorm rmsnorm ");
}

TEST_F(SweepConfigTest, ARandomSearchRepeatsItselfAndStaysInside) {
  const std::string text = std::string(kBase) +
                           "method: random\nruns: 50\nseed: 3\nparameters:\n"
                           "  learning_rate: {min: 1e-3, max: 1e-1, scale: log}\n  n_layer: [1, 2, 3]\n";
  const std::vector<SweepRun> runs = plan(text);
  ASSERT_EQ(runs.size(), 50U);
  std::set<std::string> names;
  std::set<std::string> layers;
  int below = 0;
  for (const SweepRun& run : runs) {
    EXPECT_TRUE(names.insert(run.name).second);
    const double rate = std::stod(run.values[0].second);
    EXPECT_GE(rate, 1e-3);
    EXPECT_LE(rate, 1e-1);
    below += rate < 1e-2 ? 1 : 0;
    layers.insert(run.values[1].second);
  }
  EXPECT_GT(below, 12) << "half of a logarithmic range";
  EXPECT_LT(below, 38);
  EXPECT_EQ(layers.size(), 3U);
  EXPECT_EQ(plan(text)[49].name, runs[49].name);
}

TEST_F(SweepConfigTest, ARandomSearchOfFewPossibilitiesEnds) {
  EXPECT_EQ(plan(std::string(kBase) + "method: random\nruns: 50\nparameters: {n_layer: [1, 2, 3]}").size(),
            3U);
}

TEST_F(SweepConfigTest, TheBaseMayBeAFile) {
  write_file(directory_ / "base.json", R"({"data_path": "t.txt", "d_model": 96})");
  const SweepConfig config =
      read("base: " + (directory_ / "base.json").string() + "\nparameters: {n_layer: [1]}\nout_dir: o\n");
  EXPECT_EQ(config.base[1].key, "n_embd");
  EXPECT_EQ(config.out_dir, "o");
}

TEST_F(SweepConfigTest, RefusesWithOneLine) {
  const std::string base = kBase;
  EXPECT_EQ(refusal("[1]"), ": expected a map with 'parameters'");
  EXPECT_EQ(refusal(""), ": expected a map with 'parameters'");
  EXPECT_EQ(refusal(base), ": 'parameters' is missing: give the settings to search over");
  EXPECT_EQ(refusal(base + "paramters: {}"), ", line 2: unknown key 'paramters': did you mean 'parameters'?");
  EXPECT_EQ(refusal(base + "method: best"), ", line 2: method = 'best': expected grid or random");
  EXPECT_EQ(refusal(base + "runs: 0"), ", line 2: 'runs' must be an integer of at least 1");
  EXPECT_EQ(refusal(base + "runs: 1\nruns: 2"), ", line 3: key 'runs' is there twice");
  EXPECT_EQ(refusal(base + "method: random\nparameters: {n_layer: [1]}"),
            ": a random search needs 'runs', how many to make");
  EXPECT_EQ(refusal(base + "parameters: {n_layer: {min: 1, max: 2}}"),
            ": 'n_layer' has a range: in a grid it needs 'count', its number of values");
  EXPECT_EQ(refusal(base + "parameters: {n_layer: []}"), ", line 2: 'n_layer' has no values");
  EXPECT_EQ(refusal(base + "parameters: {n_layer: {min: 3, max: 2, count: 2}}"),
            ", line 2: 'min' of 'n_layer' is not below 'max'");
  EXPECT_EQ(refusal(base + "parameters: {xxxxxxxxxxxx: {min: 0}}"),
            "unknown key 'xxxxxxxxxxxx' in " + file().string() + ", line 2");
  EXPECT_EQ(refusal(base + "parameters: {weight_decay: {min: 0, max: 1, scale: log, count: 2}}"),
            ", line 2: scale log needs 'min' of 'weight_decay' above 0");
  EXPECT_EQ(refusal(base + "parameters: {out_dir: [a, b]}"), ": 'out_dir' cannot be searched over");
  EXPECT_EQ(refusal(base + "parameters: {n_layer: [1], n_layers: [2]}"),
            ", line 2: 'n_layer' is there twice");
  EXPECT_EQ(refusal("parameters: {n_layer: [1]}"),
            "'base' has neither data_path nor memmap_dataset: name the text to train on");
  EXPECT_EQ(refusal("base: [1]"),
            ", line 1: 'base' must be a map of settings or the path of a configuration");
  EXPECT_EQ(refusal(base + "parameters: {n_head: [3]}"),
            "run 001-n_head=3: n_embd = 128 is not a multiple of n_head = 3");
  EXPECT_NE(refusal(base + "parameters: {n_layer: [1, 2").find("not valid YAML"), std::string::npos);
  EXPECT_NE(refusal(std::string(100000, '[')).find("not valid YAML"), std::string::npos);
  std::string many = base + "parameters:\n";
  for (const char* key : {"n_layer", "batch_size", "warmup_steps", "max_steps", "seed"}) {
    many += std::string("  ") + key + ": {min: 1, max: 1000, count: 100}\n";
  }
  EXPECT_EQ(refusal(many), "the grid has more than 10000 runs");
}

}  // namespace
}  // namespace vkgpt::cli
