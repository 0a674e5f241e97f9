// Directories that transformers saved (tests/golden/hf_*) against what it computes with them.

#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/text/generate/generator.hpp"

#include "check/gpt_model.hpp"
#include "golden/golden_file.hpp"
#include "gpu_context.hpp"
#include "support/paths.hpp"

namespace vkgpt::model {
namespace {

constexpr double kTolerance = 1e-4;  // of logits of a size of about ten

class HfGolden : public testing::TestWithParam<const char*> {
 protected:
  LoadedModel model_ = load_model(test::source_dir() / "tests/golden" / GetParam());
  std::map<std::string, golden::Tensor> golden_ =
      golden::load(std::string(GetParam()) + "/expected.safetensors");
  std::vector<std::int32_t> tokens_ = golden_.at("tokens").ints();
  std::vector<std::int32_t> prompt_ = golden_.at("prompt").ints();
  std::vector<std::int32_t> greedy_ = golden_.at("greedy").ints();
  std::size_t V_ = static_cast<std::size_t>(model_.params.config().vocab_size);

  /// `logits` are those after token number `position`.
  void expect_logits(std::size_t position, const auto& logits) {
    const std::vector<float>& expected = golden_.at("logits").values;
    for (std::size_t v = 0; v < V_; ++v) {
      ASSERT_NEAR(logits[v], expected[position * V_ + v], kTolerance) << position << ", token " << v;
    }
  }
};

TEST_P(HfGolden, ReferenceComputesTheSame) {
  const check::GptModel model(model_.params.config(), {model_.arena.begin(), model_.arena.end()});
  const check::Vector logits = model.logits(tokens_, 1, tokens_.size());
  const auto Vp = static_cast<std::size_t>(model_.params.config().padded_vocab_size());
  for (std::size_t t = 0; t < tokens_.size(); ++t) expect_logits(t, check::View(logits).subspan(t * Vp));
  EXPECT_EQ(model.greedy(prompt_, greedy_.size() - prompt_.size()), greedy_);
}

INSTANTIATE_TEST_SUITE_P(Directories, HfGolden,
                         testing::Values("hf_gpt2", "hf_llama", "hf_mistral", "hf_qwen2", "hf_qwen3",
                                         "hf_qwen3_layers", "hf_smollm3", "hf_gemma3"),
                         [](const auto& each) { return std::string(each.param); });

class GpuHfGolden : public HfGolden {};

TEST_P(GpuHfGolden, LogitsAndGreedyTokens) {
  plan::TensorStore store(test::shared_context());
  text::Generator generator(test::shared_context(), store, model_.params);
  store.upload(tensor::kParams, std::as_bytes(std::span(model_.arena)));
  store.poison_arenas();
  for (std::size_t t = 0; t < tokens_.size(); ++t) {
    const auto window = std::span(tokens_).first(t + 1);
    expect_logits(t, t == 0 ? generator.prefill(window) : generator.decode(window));
  }
  std::vector<std::int32_t> written = prompt_;
  text::GenerateConfig config;
  config.max_new_tokens = static_cast<std::int64_t>(greedy_.size() - prompt_.size());
  text::SamplerConfig greedy;
  greedy.temperature = 0;
  const std::vector<std::int32_t> more = generator.generate(prompt_, config, greedy, 0);
  written.insert(written.end(), more.begin(), more.end());
  EXPECT_EQ(written, greedy_);
}

TEST_P(GpuHfGolden, TokensBeyondTheTokenizersAreNeverDrawn) {
  plan::TensorStore store(test::shared_context());
  constexpr std::int64_t kKnown = 3;
  text::Generator generator(test::shared_context(), store, model_.params, kKnown);
  store.upload(tensor::kParams, std::as_bytes(std::span(model_.arena)));
  text::GenerateConfig config;
  config.max_new_tokens = 40;
  const std::vector<std::int32_t> prompt = {1};
  for (const std::int32_t token : generator.generate(prompt, config, text::SamplerConfig{}, 0)) {
    EXPECT_LT(token, kKnown);
  }
}

INSTANTIATE_TEST_SUITE_P(Directories, GpuHfGolden,
                         testing::Values("hf_gpt2", "hf_llama", "hf_mistral", "hf_qwen2", "hf_qwen3",
                                         "hf_qwen3_layers", "hf_smollm3", "hf_gemma3"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace vkgpt::model
