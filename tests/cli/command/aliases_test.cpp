#include "cli/command/aliases.hpp"

#include <set>

#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/command_line.hpp"
#include "cli/run_options.hpp"
#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

class AliasesTest : public testing::Test {
 protected:
  AliasesTest() { command_.add(model_).add(train_).add(run_); }

  bool parse(const std::vector<std::string>& args) { return command_.parse(args); }
  bool parse_file(const std::string& name, const std::string& text, std::vector<std::string> more = {}) {
    write_file(directory_ / name, text);
    more.insert(more.end(), {"--config", (directory_ / name).string()});
    return parse(more);
  }

  TempDirectory directory_;
  model::GptConfig model_;
  train::TrainConfig train_;
  RunOptions run_;
  CommandLine command_{"train", ""};
};

TEST_F(AliasesTest, EveryLineLeadsToASettingThatTakesItsValue) {
  FieldSet fields;
  fields.add(model_);
  fields.add(train_);
  fields.add(run_);
  for (const Alias& alias : aliases()) {
    if (alias.key.empty()) continue;
    const Field* const field = fields.find(alias.key);
    ASSERT_NE(field, nullptr) << alias.name << " means '" << alias.key << "', which is no setting";
    if (alias.to.empty()) continue;
    const Setting setting{.key = std::string(alias.key), .text = std::string(alias.to), .where = "--x"};
    EXPECT_NO_THROW(fields.set(setting)) << alias.name;
  }
}

TEST_F(AliasesTest, NamesThatAreOursOnlyTranslateValues) {
  const FieldSet fields = [&] {
    FieldSet set(model_);
    set.add(train_);
    set.add(run_);
    return set;
  }();
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Alias& alias : aliases()) {
    EXPECT_TRUE(seen.emplace(alias.name, alias.value).second) << alias.name;
    EXPECT_TRUE(fields.find(alias.name) == nullptr || !alias.value.empty()) << alias.name;
  }
}

TEST_F(AliasesTest, AYamlOfAnotherTrainerRunsUnchanged) {
  EXPECT_TRUE(parse_file("run.yaml",
                         "vocab_size: 65\nd_model: 96\nn_layers: 3\nn_heads: 6\nmax_seq_len: 512\n"
                         "dropout: 0.1\nuse_mixed_precision: true\n"
                         "use_rope: true\nuse_flash: true\nseq_len: 64\nbatch_size: 8\nlearning_rate: 3e-4\n"
                         "gradient_clip: 0.5\neval_every: 11\nsave_every: 12\nlog_every: 13\n"));
  EXPECT_EQ(model_.n_embd, 96);
  EXPECT_EQ(model_.n_layer, 3);
  EXPECT_EQ(model_.n_head, 6);
  EXPECT_EQ(model_.block_size, 64) << "the length it trains on";
  EXPECT_EQ(model_.pos_encoding, "rope");
  EXPECT_EQ(train_.dropout, 0.1);
  EXPECT_EQ(train_.amp, "auto");
  EXPECT_EQ(train_.grad_clip, 0.5);
  EXPECT_EQ(train_.eval_interval, 11);
  EXPECT_EQ(train_.save_interval, 12);
  EXPECT_EQ(train_.log_interval, 13);
  EXPECT_EQ(command_.fields().find("n_embd")->where, (directory_ / "run.yaml").string() + ", line 2");
}

TEST_F(AliasesTest, AJsonOfAnotherTrainerRunsUnchanged) {
  EXPECT_TRUE(parse_file("run.json", R"({"data_path": "a.txt", "out_dir": "o", "tokenizer": "char",
      "n_layer": 2, "n_head": 2, "n_embd": 64, "compile": true, "amp": true})"));
  EXPECT_EQ(train_.data_path, "a.txt");
  EXPECT_EQ(model_.n_embd, 64);
  EXPECT_EQ(train_.amp, "auto");
}

TEST_F(AliasesTest, SwitchesThatAreSettingsHere) {
  EXPECT_TRUE(
      parse({"--amp", "--ema", "--ema_decay", "0.9999", "--curriculum", "--curriculum_start_block_size", "32",
             "--pos_encoding", "rope", "--norm", "rmsnorm", "--mlp", "swiglu", "--qk_norm"}));
  EXPECT_EQ(train_.amp, "auto");
  EXPECT_TRUE(train_.ema && train_.curriculum && model_.qk_norm);
  EXPECT_TRUE(parse({"--amp", "fp16"}));
  EXPECT_EQ(train_.amp, "fp16");
  EXPECT_TRUE(parse({"--no-amp"}));
  EXPECT_EQ(train_.amp, "off");
}

TEST_F(AliasesTest, FlagsOfAnotherTrainer) {
  EXPECT_TRUE(parse({"--max_iters=7", "--gradient-accumulation-steps", "4", "--compile=False",
                     "--always_save_checkpoint", "--device=cuda", "--use_rope", "--no-tie_embeddings",
                     "--wandb_run_name", "x", "--init_from=resume"}));
  EXPECT_EQ(train_.max_steps, 7);
  EXPECT_EQ(train_.grad_accum_steps, 4);
  EXPECT_EQ(model_.pos_encoding, "rope");
  EXPECT_FALSE(model_.tie_weights);
  EXPECT_TRUE(train_.resume);
  EXPECT_NE(run_.device, "cuda");  // what the environment says, if anything
}

TEST_F(AliasesTest, TheWeakSpellingGivesWayWhereverItStands) {
  EXPECT_TRUE(parse_file("a.yaml", "seq_len: 64\nmax_seq_len: 256\n"));
  EXPECT_EQ(model_.block_size, 64);
  EXPECT_TRUE(parse_file("b.yaml", "max_seq_len: 256\n"));
  EXPECT_EQ(model_.block_size, 256);
}

TEST_F(AliasesTest, FlagsStillWinOverFiles) {
  EXPECT_TRUE(parse_file("a.yaml", "d_model: 64\n", {"--n_embd", "128"}));
  EXPECT_EQ(model_.n_embd, 128);
}

TEST_F(AliasesTest, RefusesContradictionsAndValuesThatNobodyHas) {
  EXPECT_EQ(expect_error([&] { parse_file("a.yaml", "d_model: 64\nn_embd: 128\n"); }, ""),
            "'d_model' = '64' and 'n_embd' = '128' in " + (directory_ / "a.yaml").string() +
                ", line 2 mean the same setting: keep one");
  EXPECT_EQ(expect_error([&] { parse({"--use_rope=maybe"}); }, ""),
            "--use_rope = 'maybe': expected one of true|false");
  EXPECT_EQ(expect_error([&] { parse({"--d_model", "many"}); }, ""),
            "--d_model = 'many': expected an integer from 16 to 131072");
}

TEST(Aliases, CommandsWithoutTheSettingRefuseItsOtherSpellings) {
  RunOptions run;
  CommandLine command("devices", "");
  command.add(run);
  EXPECT_EQ(expect_error([&] { command.parse(std::vector<std::string>{"--d_model", "64"}); }, ""),
            "unknown flag --d_model (--help lists them)");
}

}  // namespace
}  // namespace vkgpt::cli
