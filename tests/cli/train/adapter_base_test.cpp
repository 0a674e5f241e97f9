// Adapters whose base stays in the run that it was trained in.

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

class GpuAdapterBase : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i * i % 97) + ": the quick brown fox\n";
    write_file(directory_ / "text.txt", text);
    train_base("1");
    const RunResult tuned = tune({"--max_steps", "2"});
    ASSERT_EQ(tuned.code, 0) << tuned.err;
  }

  Path run(const std::string& name) const { return directory_ / name; }

  RunResult train(const std::string& out, const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"train",
                                     "--data_path",
                                     run("text.txt").string(),
                                     "--out_dir",
                                     run(out).string(),
                                     "--batch_size",
                                     "4",
                                     "--eval_iters",
                                     "2",
                                     "--keep_checkpoints",
                                     "9",
                                     "--lr_schedule",
                                     "constant",
                                     "--sample_interval",
                                     "0"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }
  void train_base(const std::string& seed) const {
    const RunResult base = train("base", {"--n_layer", "1", "--n_head", "2", "--n_embd", "32", "--block_size",
                                          "32", "--max_steps", "20", "--seed", seed});
    ASSERT_EQ(base.code, 0) << base.err;
  }
  RunResult tune(std::vector<std::string> more) const {
    more.insert(more.end(),
                {"--init_from", run("base").string(), "--lora_rank", "2", "--base_dtype", "q8_0"});
    return train("tuned", more);
  }
  /// The base that a checkpoint's adapters name.
  Path named_base(const Path& checkpoint) const {
    const auto settings = nlohmann::json::parse(read_file(checkpoint / "adapter_config.json"));
    return settings["base_model_name_or_path"].get<std::string>();
  }
  RunResult generate(const Path& model) const {
    return run_vkgpt({"generate", "--model", model.string(), "--prompt", "the", "--max_new_tokens", "2"});
  }

  TempDirectory directory_;
};

TEST_F(GpuAdapterBase, OfARunIsItsCheckpoint) {
  const Path base = named_base(run("tuned") / "step-2");
  EXPECT_EQ(base, run("base") / "step-20");
  const RunResult told = generate(run("tuned"));
  EXPECT_EQ(told.code, 0) << told.err;
  // Tomorrow another one is the best.
  const RunResult on =
      run_vkgpt({"train", "--out_dir", run("base").string(), "--resume", "--max_steps", "60"});
  ASSERT_EQ(on.code, 0) << on.err;
  ASSERT_EQ(std::filesystem::read_symlink(run("base") / "best"), "step-60");
  const RunResult resumed = tune({"--max_steps", "3", "--resume"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(named_base(run("tuned") / "step-3"), base);
}

TEST_F(GpuAdapterBase, ThatOlderVersionsNamedByItsRunIsFound) {
  const Path adapters = directory_ / "old";
  std::filesystem::copy(run("tuned") / "step-2", adapters);
  for (const char* name : {"manifest.json", "trainer_state.json"}) std::filesystem::remove(adapters / name);
  auto settings = nlohmann::json::parse(read_file(adapters / "adapter_config.json"));
  settings["base_model_name_or_path"] = run("base").string();
  write_file(adapters / "adapter_config.json", settings.dump());
  const RunResult told = generate(adapters);
  EXPECT_EQ(told.code, 0) << told.err;
}

TEST_F(GpuAdapterBase, OfOtherWeightsIsRefused) {
  const RunResult resumed = tune({"--max_steps", "3", "--resume"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  std::filesystem::remove_all(run("base"));
  train_base("9");
  const RunResult refused = tune({"--max_steps", "4", "--resume"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("has adapters of another model than the one that"), std::string::npos)
      << refused.err;
}

}  // namespace
}  // namespace vkgpt::cli
