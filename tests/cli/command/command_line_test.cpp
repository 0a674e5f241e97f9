#include "cli/command/command_line.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/text/generate/generate_config.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/environment.hpp"
#include "cli/run_options.hpp"
#include "support/expect_error.hpp"
#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using test::ScopedEnvironment;

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() { command_.add(model_).add(train_).add(sampler_).add(run_); }

  bool parse(const std::vector<std::string>& args) { return command_.parse(args); }

  model::GptConfig model_;
  train::TrainConfig train_;
  text::SamplerConfig sampler_;
  RunOptions run_;
  CommandLine command_{"train", "Trains a GPT on a text."};
};

TEST_F(CommandLineTest, NothingGivenLeavesDefaults) {
  EXPECT_TRUE(parse({}));
  EXPECT_EQ(model_, model::GptConfig());
  EXPECT_EQ(train_, train::TrainConfig());
  EXPECT_FALSE(command_.fields().was_set("n_layer"));
}

TEST_F(CommandLineTest, LaterSourcesWin) {
  const TempDirectory directory;
  write_file(directory / "a.yaml", "n_layer: 10\nn_head: 10\nn_embd: 10e1\nblock_size: 11\n");
  const ScopedEnvironment head("VKGPT_N_HEAD", "20");
  const ScopedEnvironment embd("VKGPT_N_EMBD", "200");
  EXPECT_TRUE(parse({"--n_embd", "300", "--config", (directory / "a.yaml").string()}));
  EXPECT_EQ(model_.n_layer, 10);
  EXPECT_EQ(model_.n_head, 20);
  EXPECT_EQ(model_.n_embd, 300);
  EXPECT_EQ(model_.block_size, 11);
  EXPECT_EQ(train_.batch_size, 64);
  EXPECT_EQ(command_.fields().find("n_head")->where, "VKGPT_N_HEAD");
  EXPECT_EQ(command_.fields().find("n_embd")->where, "--n_embd");
}

TEST_F(CommandLineTest, TheEnvironmentMayNameTheFile) {
  const TempDirectory directory;
  write_file(directory / "a.json", R"({"seed": 5})");
  write_file(directory / "b.json", R"({"seed": 6})");
  const ScopedEnvironment config("VKGPT_CONFIG", (directory / "a.json").string());
  EXPECT_TRUE(parse({}));
  EXPECT_EQ(train_.seed, 5U);
  EXPECT_TRUE(parse({"--config", (directory / "b.json").string()}));
  EXPECT_EQ(train_.seed, 6U);
}

TEST_F(CommandLineTest, TheEffectiveConfigurationReproducesItself) {
  EXPECT_TRUE(
      parse({"--n_layer", "7", "--no-tie_weights", "--learning_rate", "3e-4", "--sample_prompt", "a\nb"}));
  model_.vocab_size = 65;
  const std::string saved = to_json(command_.fields()).dump(2);
  const TempDirectory directory;
  write_file(directory / "effective_config.json", saved);

  model::GptConfig model;
  train::TrainConfig train;
  text::SamplerConfig sampler;
  RunOptions run;
  CommandLine again("train", "");
  again.add(model).add(train).add(sampler).add(run);
  EXPECT_TRUE(
      again.parse(std::vector<std::string>{"--config", (directory / "effective_config.json").string()}));
  EXPECT_EQ(model, model_);
  EXPECT_EQ(train, train_);
  EXPECT_EQ(to_json(again.fields()).dump(2), saved);
}

TEST_F(CommandLineTest, RefusesWithTheSourceInTheMessage) {
  const TempDirectory directory;
  write_file(directory / "a.yaml", "n_layer: 4\nn_haed: 2\n");
  expect_error(
      [&] { parse({"--config", (directory / "a.yaml").string()}); },
      "unknown key 'n_haed' in " + (directory / "a.yaml").string() + ", line 2: did you mean 'n_head'?");
  {
    const ScopedEnvironment bad("VKGPT_N_LAYER", "many");
    EXPECT_EQ(expect_error([&] { parse({}); }, ""),
              "VKGPT_N_LAYER = 'many': expected an integer from 1 to 1024");
  }
  EXPECT_EQ(expect_error([&] { parse({"stray"}); }, ""),
            "unexpected argument 'stray': 'vkgpt train --help' shows what it takes");
  EXPECT_EQ(expect_error([&] { parse({"--validation", "all"}); }, ""),
            "--validation = 'all': expected one of off|core|sync|gpu");
}

TEST_F(CommandLineTest, HelpNamesEveryFlagOnce) {
  const std::string help = command_.help();
  for (const std::string& name : command_.fields().names(SettingOrigin::kFlag)) {
    const std::size_t at = help.find("\n  --" + name + " ");
    EXPECT_NE(at, std::string::npos) << name;
    EXPECT_EQ(help.find("\n  --" + name + " ", at + 1), std::string::npos) << name;
  }
  EXPECT_NE(help.find("\nModel:\n"), std::string::npos);
  EXPECT_NE(help.find("--tie_weights "), std::string::npos);
  EXPECT_NE(help.find("Transformer blocks [4]"), std::string::npos);
  EXPECT_NE(help.find("--validation off|core|sync|gpu"), std::string::npos);
  std::size_t begin = 0;
  for (std::size_t end = help.find('\n'); end != std::string::npos; end = help.find('\n', begin)) {
    EXPECT_LE(end - begin, 110U) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST(Environment, SkipsWhatOtherCommandsReadAndWarnsOfTheRest) {
  RunOptions run;
  const FieldSet fields(run);
  const auto read = [&](const std::vector<std::string>& variables) {
    return read_environment(fields, variables);
  };
  EXPECT_TRUE(read({"VKGPT_N_LAYER=x", "VKGPT_TOP_K=1", "VKGPT_TEST_X=1", "VKGPT_EXPECT_DRIVER=1", "HOME=/"})
                  .settings.empty());
  const Environment environment = read({"VKGPT_DEVICE=llvmpipe", "VKGPT_CONFIG=a=b"});
  EXPECT_EQ(environment.settings.at(0).text, "llvmpipe");
  EXPECT_EQ(environment.config_path, "a=b");
  testing::internal::CaptureStderr();
  EXPECT_TRUE(read({"VKGPT_DEVISE=1", "VKGPT_BATCHSIZE=1"}).settings.empty());
  const std::string warnings = testing::internal::GetCapturedStderr();
  EXPECT_NE(warnings.find("unknown variable VKGPT_DEVISE in the environment: did you mean VKGPT_DEVICE?"),
            std::string::npos);
  EXPECT_NE(warnings.find("unknown variable VKGPT_BATCHSIZE"), std::string::npos);
}

}  // namespace
}  // namespace vkgpt::cli
