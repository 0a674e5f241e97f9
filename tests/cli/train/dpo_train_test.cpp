// Direct preference optimization, from the file of pairs to the rewards.

#include <cmath>
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

class GpuDpoTrain : public testing::Test {
 protected:
  void SetUp() override {
    std::string chat, pairs;
    for (int i = 0; i < 40; ++i) {
      const std::string prompt = "Say " + std::to_string(i % 7), good = "yes" + std::string(1 + i % 3, '!'),
                        bad = "no" + std::string(1 + i % 4, '.');
      chat += nlohmann::json({{"prompt", prompt}, {"completion", i % 2 == 0 ? good : bad}}).dump() + "\n";
      pairs += nlohmann::json({{"prompt", prompt + "?"}, {"chosen", good}, {"rejected", bad}}).dump() + "\n";
    }
    write_file(file("chat.jsonl"), chat);
    write_file(file("pairs.jsonl"), pairs);
    const RunResult base = run_vkgpt({"train",
                                      "--data_path",
                                      file("chat.jsonl"),
                                      "--tokenizer",
                                      "byte",
                                      "--out_dir",
                                      file("base"),
                                      "--n_layer",
                                      "1",
                                      "--n_head",
                                      "2",
                                      "--n_embd",
                                      "32",
                                      "--block_size",
                                      "96",
                                      "--batch_size",
                                      "2",
                                      "--max_steps",
                                      "2",
                                      "--eval_iters",
                                      "1",
                                      "--sample_interval",
                                      "0"});
    ASSERT_EQ(base.code, 0) << base.err;
  }

  std::string file(const std::string& name) const { return (directory_ / name).string(); }

  RunResult train(const std::string& out, int steps, std::vector<std::string> more = {},
                  const std::string& data = "pairs.jsonl",
                  const std::vector<std::string>& environment = {}) const {
    std::vector<std::string> args = {"train",
                                     "--objective",
                                     "dpo",
                                     "--data_path",
                                     file(data),
                                     "--init_from",
                                     file("base"),
                                     "--out_dir",
                                     file(out),
                                     "--batch_size",
                                     "2",
                                     "--max_steps",
                                     std::to_string(steps),
                                     "--eval_iters",
                                     "2",
                                     "--eval_interval",
                                     "4",
                                     "--log_interval",
                                     "1",
                                     "--sample_interval",
                                     "0",
                                     "--learning_rate",
                                     "3e-3",
                                     "--warmup_steps",
                                     "0",
                                     "--lr_schedule",
                                     "constant",
                                     "--weight_decay",
                                     "0",
                                     "--val_fraction",
                                     "0.2"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args, environment);
  }

  std::vector<nlohmann::json> metrics(const std::string& out) const {
    std::vector<nlohmann::json> records;
    const std::string text = read_file(Path(file(out)) / "metrics.jsonl");
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      records.push_back(nlohmann::json::parse(text.substr(at, text.find('\n', at) - at)));
    }
    return records;
  }

  TempDirectory directory_;
};

TEST_F(GpuDpoTrain, PrefersWhatWasChosenAndResumesBitForBit) {
  const RunResult whole = train("whole", 8);
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_NE(whole.err.find("40 pairs of replies"), std::string::npos) << whole.err;
  const std::vector<nlohmann::json> records = metrics("whole");
  EXPECT_NEAR(records.front()["loss"].get<double>(), std::log(2.0), 1e-5) << "nothing is preferred yet";
  EXPECT_EQ(records.front()["rewards/chosen"], 0.0);
  const nlohmann::json& last = records.back();
  ASSERT_TRUE(last.contains("eval_rewards/accuracies")) << last.dump();
  EXPECT_GT(last["eval_rewards/accuracies"], 0.9) << "of held-out pairs";
  EXPECT_GT(last["eval_rewards/margins"], 0.05);
  EXPECT_LT(last["val_loss"], std::log(2.0));

  ASSERT_EQ(train("parts", 4).code, 0);
  const RunResult rest = run_vkgpt({"train", "--out_dir", file("parts"), "--resume", "--max_steps", "8"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(rest.err.find("the reference reads"), std::string::npos) << "its file is there";
  EXPECT_EQ(read_file(Path(file("parts")) / "step-8" / "model.safetensors"),
            read_file(Path(file("whole")) / "step-8" / "model.safetensors"));
  const Path reference = Path(file("parts")) / "dpo_reference.json";
  std::string text = read_file(reference);
  text.replace(text.find("data_sha256") + 14, 4, "beef");
  write_file(reference, text);
  const RunResult other = run_vkgpt({"train", "--out_dir", file("parts"), "--resume", "--max_steps", "9"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("dpo_reference.json was made with other pairs"), std::string::npos) << other.err;
}

TEST_F(GpuDpoTrain, TrainsAdaptersAgainstTheirBase) {
  const RunResult lora = train("lora", 4, {"--lora_rank", "2", "--learning_rate", "2e-2", "--min_lr", "0"});
  ASSERT_EQ(lora.code, 0) << lora.err;
  const std::vector<nlohmann::json> records = metrics("lora");
  EXPECT_NEAR(records.front()["loss"].get<double>(), std::log(2.0), 1e-5);
  EXPECT_LT(records.back()["val_loss"], std::log(2.0));
  EXPECT_TRUE(std::filesystem::exists(Path(file("lora")) / "step-4" / "adapter_model.safetensors"));

  const RunResult on = train("on", 1, {"--init_adapter", file("lora")});
  ASSERT_EQ(on.code, 0) << on.err;
  EXPECT_NEAR(metrics("on").front()["loss"].get<double>(), std::log(2.0), 1e-5)
      << "the reference has the adapters that training begins with";
}

TEST_F(GpuDpoTrain, TrainsAdaptersBesideABaseInBlocks) {
  const RunResult held = train(
      "held", 4, {"--lora_rank", "2", "--base_dtype", "q8_0", "--learning_rate", "2e-2", "--min_lr", "0"});
  ASSERT_EQ(held.code, 0) << held.err;
  const std::vector<nlohmann::json> records = metrics("held");
  EXPECT_NEAR(records.front()["loss"].get<double>(), std::log(2.0), 1e-5) << "the reference is the held base";
  EXPECT_LT(records.back()["val_loss"], std::log(2.0));
  EXPECT_GT(records.back()["eval_rewards/margins"], 0.0);
}

/// The sums of pairs travel with the gradients: one rank and two see the same.
TEST_F(GpuDpoTrain, OfTwoRanksHasTheBitsOfOne) {
  const std::vector<std::string> settings = {"--grad_accum_steps", "2", "--sum_order", "step"};
  std::vector<std::string> two = settings;
  two.insert(two.end(), {"--nproc_per_node", "2", "--ddp"});
  const std::vector<std::string> one_thread = {"LP_NUM_THREADS=1"};
  const RunResult alone = train("alone", 4, settings, "pairs.jsonl", one_thread);
  ASSERT_EQ(alone.code, 0) << alone.err;
  const RunResult both = train("both", 4, two, "pairs.jsonl", one_thread);
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_EQ(read_file(Path(file("alone")) / "step-4" / "model.safetensors"),
            read_file(Path(file("both")) / "step-4" / "model.safetensors"));
  EXPECT_EQ(read_file(Path(file("alone")) / "dpo_reference.json"),
            read_file(Path(file("both")) / "dpo_reference.json"));
  const std::vector<nlohmann::json> mine = metrics("alone"), theirs = metrics("both");
  ASSERT_EQ(mine.size(), theirs.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    for (const char* key :
         {"loss", "rewards/chosen", "rewards/accuracies", "eval_rewards/margins", "val_loss"}) {
      EXPECT_EQ(mine[i].value(key, 0.0), theirs[i].value(key, 0.0)) << i << " " << key;
    }
  }
  EXPECT_GT(mine.back()["eval_rewards/margins"], 0.0);
  // Each rank's own sums first: other bits, the same course.
  const RunResult by_rank = train("by_rank", 4, {"--grad_accum_steps", "2", "--nproc_per_node", "2", "--ddp"},
                                  "pairs.jsonl", one_thread);
  ASSERT_EQ(by_rank.code, 0) << by_rank.err;
  EXPECT_NEAR(metrics("by_rank").back()["val_loss"].get<double>(), mine.back()["val_loss"].get<double>(),
              1e-4);
  const RunResult apart =
      train("apart", 4, {"--grad_accum_steps", "2", "--nproc_per_node", "2", "--sync", "diloco"});
  EXPECT_NE(apart.code, 0);
  EXPECT_NE(apart.err.find("--objective dpo: not with --sync diloco"), std::string::npos) << apart.err;
}

TEST_F(GpuDpoTrain, RefusesAndCountsWhatItCannotUse) {
  write_file(file("bad.jsonl"),
             read_file(file("pairs.jsonl")) +
                 "{\"prompt\": \"A\", \"chosen\": \"B\", \"rejected\": \"B\"}\n{\"prompt\": \"A\"\n");
  const RunResult bad = train("bad", 2, {}, "bad.jsonl");
  EXPECT_EQ(bad.code, 1);
  EXPECT_NE(bad.err.find("2 of 42 pairs cannot be used: 1 invalid JSON"), std::string::npos) << bad.err;
  EXPECT_NE(bad.err.find("bad.jsonl: line 41: what was chosen and what was rejected are the same"),
            std::string::npos)
      << bad.err;
  const RunResult skipped = train("skipped", 2, {"--bad_data", "skip"}, "bad.jsonl");
  EXPECT_EQ(skipped.code, 0) << skipped.err;
  const RunResult scratch = run_vkgpt({"train", "--objective", "dpo", "--data_path", file("pairs.jsonl")});
  EXPECT_EQ(scratch.code, 2);
  EXPECT_NE(scratch.err.find("--objective dpo without --init_from DIR"), std::string::npos) << scratch.err;
  const RunResult packed = train("packed", 2, {"--pack", "none"});
  EXPECT_NE(packed.err.find("--pack none: pairs share windows"), std::string::npos) << packed.err;
}

}  // namespace
}  // namespace vkgpt::cli
