#include "cli/command/presets.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/command_line.hpp"
#include "cli/run_vkgpt.hpp"
#include "support/expect_error.hpp"
#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

struct Configs {
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig train;

  void parse(const std::vector<std::string>& args) {
    CommandLine command("train", "");
    command.add(preset).add(model).add(train);
    command.parse(args);
  }
};

TEST(Presets, EverySettingExistsAndTheWholeIsValid) {
  for (const Preset& preset : presets()) {
    model::GptConfig model;
    train::TrainConfig train;
    FieldSet fields(model);
    fields.add(train);
    for (const Setting& setting : preset_settings(preset)) {
      ASSERT_NE(fields.find(setting.key), nullptr) << preset.name << ": " << setting.key;
      EXPECT_NO_THROW(fields.set(setting)) << preset.name << ": " << setting.key;
    }
    model.vocab_size = preset.vocab_size;
    EXPECT_NO_THROW(model.validate()) << preset.name;
    EXPECT_NO_THROW(train.validate()) << preset.name;
  }
}

TEST(Presets, HaveTheSizesOfThePublicModels) {
  const auto parameters = [](const char* name) {
    Configs configs;
    configs.parse({"--preset", name});
    configs.model.vocab_size = find_preset(name).vocab_size;
    return model::GptParams(configs.model).parameter_count();
  };
  EXPECT_EQ(parameters("gpt2"), 124439808);
  EXPECT_EQ(parameters("gpt2-medium"), 354823168);
  EXPECT_EQ(parameters("gpt2-large"), 774030080);
  EXPECT_EQ(parameters("gpt2-xl"), 1557611200);
  EXPECT_EQ(parameters("smollm2-135m"), 134515008);
  EXPECT_EQ(parameters("smollm2-360m"), 361821120);
}

TEST(Presets, LieBetweenTheDefaultsAndTheFile) {
  const TempDirectory directory;
  write_file(directory / "a.yaml", "n_head: 2\nn_layer: 2\nlearning_rate: 5e-4\n");
  const test::ScopedEnvironment head("VKGPT_N_HEAD", "3");
  Configs configs;
  configs.parse({"--preset", "nano-char", "--config", (directory / "a.yaml").string(), "--n_layer", "9"});
  EXPECT_EQ(configs.model.n_embd, 384);
  EXPECT_EQ(configs.model.n_layer, 9);
  EXPECT_EQ(configs.model.n_head, 3);
  EXPECT_EQ(configs.train.learning_rate, 5e-4);
  EXPECT_EQ(configs.train.max_steps, 5000);
}

TEST(Presets, AFileOrAVariableMayChoose) {
  const TempDirectory directory;
  write_file(directory / "a.yaml", "preset: gpt2\n");
  Configs configs;
  configs.parse({"--config", (directory / "a.yaml").string()});
  EXPECT_EQ(configs.model.n_embd, 768);
  const test::ScopedEnvironment chosen("VKGPT_PRESET", "gpt2-medium");
  Configs again;
  again.parse({"--config", (directory / "a.yaml").string()});
  EXPECT_EQ(again.model.n_embd, 1024);
}

TEST(Presets, AnUnknownOneIsRefused) {
  Configs configs;
  EXPECT_EQ(expect_error([&] { configs.parse({"--preset", "gtp2"}); }, ""),
            "there is no preset 'gtp2': did you mean 'gpt2'?");
  EXPECT_EQ(expect_error([&] { configs.parse({"--preset", "zebra"}); }, ""),
            "there is no preset 'zebra': 'vkgpt plan --presets' lists them");
}

TEST(Presets, PlanTakesTheirVocabulary) {
  const RunResult small = run_vkgpt({"plan", "--preset", "gpt2"});
  EXPECT_EQ(small.code, 0) << small.err;
  EXPECT_EQ(small.out.substr(0, 20), "124439808 parameters");
  EXPECT_EQ(run_vkgpt({"plan", "--preset", "gpt2", "--plan_vocab_size", "65"}).out.substr(0, 19),
            "85892352 parameters");
}

TEST(Presets, PlanPrintsATableOfAll) {
  const RunResult table = run_vkgpt({"plan", "--presets", "--batch_size", "1"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(table.out, '\n')), presets().size() + 1);
  EXPECT_NE(table.out.find("\ngpt2             124.44 M     1 x 1024     855 M "), std::string::npos)
      << table.out;
  const auto records = nlohmann::json::parse(run_vkgpt({"plan", "--presets", "--json"}).out);
  ASSERT_EQ(records.size(), presets().size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i]["preset"], presets()[i].name);
    EXPECT_GT(records[i]["memory"]["activations"], 0);
  }
}

}  // namespace
}  // namespace vkgpt::cli
