// Training on from adapters, as a user does it.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

/// A model and adapters of it; by name of the type that holds the frozen matrices.
class GpuInitAdapter : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i * i % 97) + ": the quick brown fox\n";
    write_file(directory_ / "a.txt", text);
    const RunResult base = train("base", {"--n_layer", "2", "--n_head", "2", "--n_embd", "64", "--block_size",
                                          "32", "--max_steps", "4"});
    ASSERT_EQ(base.code, 0) << base.err;
    const RunResult tuned = tune("tuned", {"--lora_rank", "8", "--lora_targets", "c_attn,mlp.c_proj",
                                           "--lora_rank_stabilized", "--max_steps", "3"});
    ASSERT_EQ(tuned.code, 0) << tuned.err;
    val_loss_ = nlohmann::json::parse(tuned.out)["val_loss"];
  }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string factors(const std::string& name, int step) const {
    return read_file(directory_ / name / ("step-" + std::to_string(step)) / "adapter_model.safetensors");
  }

  RunResult train(const std::string& out, const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"train",
                                     "--data_path",
                                     path("a.txt"),
                                     "--out_dir",
                                     path(out),
                                     "--batch_size",
                                     "3",
                                     "--eval_iters",
                                     "2",
                                     "--json",
                                     "--learning_rate",
                                     "2e-2",
                                     "--min_lr",
                                     "0",
                                     "--sample_interval",
                                     "0"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }
  RunResult tune(const std::string& out, std::vector<std::string> more) const {
    more.insert(more.end(), {"--init_from", path("base"), "--base_dtype", GetParam()});
    return train(out, more);
  }

  TempDirectory directory_;
  double val_loss_ = 0;
};

TEST_P(GpuInitAdapter, GoesOnFromThemAndResumesWithoutThem) {
  const std::string tuned = path("tuned");
  const RunResult still =
      tune("still", {"--init_adapter", tuned, "--learning_rate", "1e-30", "--max_steps", "1"});
  ASSERT_EQ(still.code, 0) << still.err;
  EXPECT_EQ(factors("still", 1), factors("tuned", 3)) << "they are what training begins with";
  EXPECT_EQ(nlohmann::json::parse(still.out)["val_loss"].get<double>(), val_loss_);

  const std::vector<std::string> on = {"--init_adapter", tuned, "--lr_schedule", "constant", "--max_steps"};
  const auto go_on = [&](const std::string& out, std::vector<std::string> more) {
    more.insert(more.begin(), on.begin(), on.end());
    return tune(out, more);
  };
  ASSERT_EQ(go_on("whole", {"4"}).code, 0);
  ASSERT_EQ(go_on("parts", {"2"}).code, 0);
  EXPECT_NE(factors("whole", 4), factors("tuned", 3));
  const auto settings = nlohmann::json::parse(read_file(directory_ / "parts" / "effective_config.json"));
  EXPECT_EQ(settings["lora_rank"], 8);
  EXPECT_EQ(settings["lora_targets"], "c_attn,mlp.c_proj");
  const auto refuse = [&](const std::vector<std::string>& more, const std::string& part) {
    std::vector<std::string> args = {"train", "--out_dir", path("parts"), "--resume", "--max_steps", "4"};
    args.insert(args.end(), more.begin(), more.end());
    const RunResult refused = run_vkgpt(args);
    EXPECT_EQ(refused.code, 2) << refused.err;
    EXPECT_THAT(refused.err, HasSubstr(part));
  };
  const std::string step = path("parts/step-2");
  refuse({"--lora_rank", "4"}, "lora_rank = 4: " + step + " has 8");
  refuse({"--lora_alpha", "640"}, "lora_alpha = 640 scales by 80: " + step + " has ");
  refuse({"--lora_targets", "c_fc"}, "lora_targets = c_fc: " + step + " has adapters of other layers");
  refuse({"--init_adapter", path("whole")}, "init_adapter = " + path("whole"));
  std::filesystem::remove_all(tuned);
  const RunResult resumed =
      run_vkgpt({"train", "--out_dir", path("parts"), "--resume", "--max_steps", "4", "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(factors("parts", 4), factors("whole", 4));
}

TEST_P(GpuInitAdapter, OfTwoRanksHasTheBitsOfOne) {
  const auto on_ranks = [&](const std::string& out, const std::string& ranks) {
    return tune(out, {"--init_adapter", path("tuned"), "--max_steps", "2", "--grad_accum_steps", "2",
                      "--sum_order", "step", "--nproc_per_node", ranks});
  };
  const RunResult one = on_ranks("one", "1"), two = on_ranks("two", "2");
  ASSERT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(two.code, 0) << two.err;
  EXPECT_NE(factors("one", 2), factors("tuned", 3));
  EXPECT_EQ(factors("two", 2), factors("one", 2));
}

INSTANTIATE_TEST_SUITE_P(Types, GpuInitAdapter, testing::Values("f32", "nf4"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace vkgpt::cli
