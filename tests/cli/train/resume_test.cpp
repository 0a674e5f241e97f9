// What --resume takes from the run, what it says, and what it refuses without changing anything.

#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

std::string text_of(char shift) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += "word " + std::to_string(i % 89) + static_cast<char>('a' + shift) + "\n";
  return text;
}

class GpuResume : public testing::Test {
 protected:
  void SetUp() override {
    write_file(directory_ / "a.txt", text_of(0));
    const RunResult first = run_vkgpt({"train",
                                       "--data_path",
                                       (directory_ / "a.txt").string(),
                                       "--out_dir",
                                       run().string(),
                                       "--n_layer",
                                       "1",
                                       "--n_head",
                                       "2",
                                       "--n_embd",
                                       "32",
                                       "--block_size",
                                       "16",
                                       "--batch_size",
                                       "3",
                                       "--max_steps",
                                       "4",
                                       "--eval_iters",
                                       "1",
                                       "--sample_interval",
                                       "0",
                                       "--dropout",
                                       "0.1",
                                       "--learning_rate",
                                       "2e-3"});
    ASSERT_EQ(first.code, 0) << first.err;
  }

  Path run() const { return directory_ / "run"; }

  RunResult resume(std::vector<std::string> more) const {
    std::vector<std::string> args = {"train", "--out_dir", run().string(), "--resume"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }

  nlohmann::json config() const { return nlohmann::json::parse(read_file(run() / "effective_config.json")); }

  /// Names and contents of the run directory's own files.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const Path& entry : list_directory(run())) {
      if (std::filesystem::is_regular_file(entry)) all[entry.filename().string()] = read_file(entry);
    }
    return all;
  }

  TempDirectory directory_;
};

TEST_F(GpuResume, TakesTheSettingsOfTheRunAndSaysWhatChanges) {
  const RunResult result = resume({"--max_steps", "6", "--learning_rate", "5e-4"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("learning_rate: 0.002 -> 5e-04\n"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("max_steps: 4 -> 6\n"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("batch_size: "), std::string::npos) << result.err;
  const nlohmann::json saved = config();
  EXPECT_EQ(saved["batch_size"], 3);
  EXPECT_EQ(saved["dropout"], 0.1);
  EXPECT_EQ(saved["learning_rate"], 5e-4);
  EXPECT_EQ(saved["max_steps"], 6);
  EXPECT_EQ(saved["data_path"], (directory_ / "a.txt").string());
  EXPECT_TRUE(std::filesystem::exists(run() / "latest" / "model.safetensors"));
}

TEST_F(GpuResume, TheRunsSettingsComeAfterAPresetAndBeforeAFile) {
  write_file(directory_ / "more.yaml", "dropout: 0.2\nmax_steps: 5\n");
  const RunResult result = resume({"--config", (directory_ / "more.yaml").string(), "--preset", "nano-char"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(config()["dropout"], 0.2);
  EXPECT_EQ(config()["batch_size"], 3);
  EXPECT_EQ(config()["n_layer"], 1);
}

TEST_F(GpuResume, RefusesAnotherTextAndAnotherShapeAndChangesNothing) {
  const auto before = files();
  const auto refuses = [&](const std::vector<std::string>& args, const std::string& part) {
    const RunResult result = resume(args);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_TRUE(files() == before) << part;
  };
  refuses({"--max_steps", "6", "--n_layer", "2"}, "n_layer = 2");
  refuses({"--max_steps", "6", "--seed", "5"}, "--seed 1337, not 5");
  refuses({"--max_steps", "6", "--optimizer", "muon"}, "goes on with its own optimizer");
  refuses({"--max_steps", "6", "--freeze", "h.0.*"}, "goes on with its own choice of parameters");
  refuses({"--max_steps", "6", "--tokenizer", "bpe"}, "goes on with its own tokenizer");
  refuses({"--max_steps", "6", "--bpe_vocab_size", "300"}, "goes on with its own tokenizer");
  for (const auto& [flag, value] : {std::pair{"--ema", "true"}, {"--amp", "fp16"}}) {
    const RunResult result = resume({"--max_steps", "6", flag, value});
    EXPECT_NE(result.code, 0) << flag;
    EXPECT_TRUE(files() == before) << flag << " is refused late, and changes nothing all the same";
  }
  write_file(directory_ / "b.txt", text_of(0) + "word 1a\n");
  refuses({"--max_steps", "6", "--data_path", (directory_ / "b.txt").string()}, "other data");
  write_file(directory_ / "a.txt", text_of(0) + "word 2a\n");
  refuses({"--max_steps", "6"}, "--allow_other_data");
  write_file(directory_ / "c.txt", text_of(0));
  EXPECT_EQ(resume({"--max_steps", "6", "--data_path", (directory_ / "c.txt").string()}).code, 0)
      << "the same text under another name";
}

TEST_F(GpuResume, OtherDataStartsTheBestLossAnew) {
  write_file(directory_ / "b.txt", text_of(0) + "word 1a\n");
  const RunResult result =
      resume({"--max_steps", "6", "--allow_other_data", "--data_path", (directory_ / "b.txt").string()});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("data_path: "), std::string::npos) << result.err;
  const auto state = nlohmann::json::parse(read_file(run() / "step-6" / "trainer_state.json"));
  EXPECT_EQ(state["best_step"], 6);
  EXPECT_EQ(resume({"--max_steps", "7"}).code, 0) << "the other data are the run's now";
}

TEST_F(GpuResume, SaysThatNothingIsLeftToTrain) {
  const auto before = files();
  const RunResult done = resume({"--json"});
  const auto summary = nlohmann::json::parse(done.out);
  EXPECT_GT(summary["train_loss"].get<double>(), 1) << "that of the log";
  EXPECT_GT(summary["val_loss"].get<double>(), 1);
  const RunResult result = resume({"--max_steps", "2"});
  EXPECT_EQ(result.code, 0);
  EXPECT_NE(result.err.find("is at step 4 already, --max_steps is 2"), std::string::npos) << result.err;
  EXPECT_EQ(files().at("effective_config.json"), before.at("effective_config.json"));
}

TEST_F(GpuResume, DamagedSettingsAreRefused) {
  write_file(run() / "effective_config.json", "{\"n_layer\": ");
  const RunResult result = resume({"--max_steps", "6"});
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("effective_config.json: not valid JSON"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace vkgpt::cli
