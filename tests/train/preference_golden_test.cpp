// Direct preference optimization against what PyTorch computes of the same pairs
// (tests/golden/dpo.safetensors).

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/train/step_runner.hpp"

#include "golden/golden_file.hpp"
#include "gpu_context.hpp"
#include "support/train_run.hpp"

namespace vkgpt::train {
namespace {

constexpr double kRelative = 1e-4;

class GpuPreferenceGolden : public testing::TestWithParam<std::string> {
 protected:
  text::Corpus corpus() const {
    text::TokenizedDocuments split;
    split.tokens = golden_.at("tokens").ints();
    std::size_t begin = 0;
    for (const std::int32_t length : golden_.at("lengths").ints()) {
      split.documents.spans.push_back({.begin = begin, .tokens = static_cast<std::uint32_t>(length)});
      begin += static_cast<std::size_t>(length);
    }
    for (const std::int32_t counted : golden_.at("counted").ints()) {
      split.documents.counted.push_back(counted != 0);
    }
    return text::Corpus::of_documents({split, split}, model_.vocab_size);
  }

  PairScores reference() const {
    const std::vector<float>& values = golden_.at("reference").values;
    PairScores scores;
    for (std::size_t i = 0; i < values.size(); i += 2) scores.push_back({values[i], values[i + 1]});
    return scores;
  }

  TrainConfig config(std::int64_t micro_steps) const {
    TrainConfig config = test::small_training();
    config.objective = "dpo";
    config.dpo_beta = golden_.at("beta").values[0];
    if (GetParam().ends_with("0.2")) config.dpo_label_smoothing = 0.2;
    config.pack = "documents";
    config.grad_accum_steps = micro_steps;
    config.batch_size = 3 / micro_steps;
    if (GetParam() == "lora") {
      config.lora_rank = 2;
      config.lora_alpha = 4;
      config.lora_targets = "attn.c_proj,mlp.c_proj";
    }
    return config;
  }

  std::vector<float> arena(const model::GptParams& params) const {
    std::vector<float> arena(static_cast<std::size_t>(params.arena_elements()));
    for (const model::ParamSpec& spec : params.specs()) {
      const std::vector<float>& values = spec.is_adapter ? golden_.at("lora/param/" + spec.name).values
                                                         : weights_.at("param/" + spec.name).values;
      std::ranges::copy(values, arena.begin() + spec.offset);
    }
    return arena;
  }

  void expect_gradients(StepRunner& runner, const model::StepResults& results) {
    const model::GptParams& params = runner.params();
    std::vector<float> grads(static_cast<std::size_t>(params.trainable_elements()));
    runner.store().download(model::tensor::kGrads, std::as_writable_bytes(std::span(grads)));
    for (const model::ParamSpec& spec : params.specs()) {
      if (!spec.trainable || !golden_.contains(GetParam() + "/grad/" + spec.name)) continue;
      const std::vector<float>& expected = golden_.at(GetParam() + "/grad/" + spec.name).values;
      float largest = 0;
      for (const float value : expected) largest = std::max(largest, std::abs(value));
      ASSERT_GT(largest, 0) << spec.name;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(grads[static_cast<std::size_t>(spec.offset) + i] * results.spread, expected[i],
                    kRelative * largest)
            << spec.name << ", element " << i;
      }
    }
  }

  void expect_rewards(const model::PreferenceResults& results) {
    const std::vector<float>& expected = golden_.at(GetParam() + "/rewards").values;
    EXPECT_NEAR(results.chosen, expected[0], kRelative);
    EXPECT_NEAR(results.rejected, expected[1], kRelative);
    EXPECT_NEAR(results.accuracy, expected[2], 1e-6);
    EXPECT_NEAR(results.margin(), expected[3], kRelative);
    EXPECT_EQ(results.pairs, 3);
  }

  std::map<std::string, golden::Tensor> golden_ = golden::load("dpo.safetensors");
  std::map<std::string, golden::Tensor> weights_ = golden::load("llama_tiny.safetensors");
  model::GptConfig model_ = golden::load_config("llama_tiny.safetensors");
};

TEST_P(GpuPreferenceGolden, LossRewardsAndGradients) {
  const double loss = golden_.at(GetParam() + "/loss").values[0];
  const text::Corpus corpus = this->corpus();
  PackedSplits packed{.windows = {}, .replies_only = true, .pairs = pairs_per_window(model_.block_size)};
  for (Packing& windows : packed.windows) {
    windows =
        Packing::of_pairs(corpus.documents(0), model_.block_size, packed.pairs, Overlong::kError, "pairs");
  }
  for (const std::int64_t micro_steps : {1, 3}) {
    const TrainConfig config = this->config(micro_steps);
    DataLoader loader(corpus, packed, 1, {.order = BatchOrder::kSequential, .micro_steps = micro_steps});
    StepRunner runner(test::shared_context(), model_, config, loader, [] { return true; });
    runner.set_parameters(arena(runner.params()));
    runner.store().poison_arenas();
    loader.set_reference(Split::kTrain, reference());
    loader.set_reference(Split::kValidation, reference());
    EXPECT_NEAR(*runner.evaluate(Split::kValidation, micro_steps), loss, kRelative * loss);
    expect_rewards(*runner.evaluated_preference());
    ASSERT_TRUE(runner.submit(0, 0));
    runner.drain();
    const StepOutcome outcome = *runner.take_outcome();
    EXPECT_NEAR(outcome.results.loss, loss, kRelative * loss);
    EXPECT_EQ(outcome.results.counted, 3);
    expect_rewards(*outcome.preference);
    expect_gradients(runner, outcome.results);
    // With its own scores for reference nothing is preferred yet.
    const PairScores own = *runner.score_pairs(Split::kTrain);
    ASSERT_EQ(own.size(), 3U);
    loader.set_reference(Split::kTrain, own);
    EXPECT_NEAR(*runner.evaluate(Split::kTrain, micro_steps), std::log(2.0), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuPreferenceGolden, testing::Values("full/0.0", "full/0.2", "lora"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace vkgpt::train
