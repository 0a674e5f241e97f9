// Runs and steps, by the kernels of CPU drivers and by those of GPUs.

#include "vkgpt/text/generate/decoder.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/decode_plan.hpp"

#include "gpu_context.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::text {
namespace {

struct DecoderKind {
  bool is_llama;
  std::string dtype;
  bool is_gpu;
};

constexpr std::int64_t kContext = 200;  // keys of a step are divided, and runs have 16, 64 and 200 rows

class GpuDecoder : public testing::TestWithParam<DecoderKind> {
 protected:
  void SetUp() override {
    if (GetParam().dtype == "f16" && !test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
    model::GptConfig config = GetParam().is_llama ? test::tiny_llama_config() : test::tiny_gpt2_config();
    config.block_size = kContext;
    config.n_embd = 64;
    config.n_head = 4;  // heads of 16, a matrix
    if (GetParam().is_llama) config.n_kv_head = 2;
    if (GetParam().is_llama) {
      config.attention_window = 150;
      config.n_inner = 64;  // whole blocks
    }
    params_.emplace(config);
    store_.emplace(test::shared_context());
    const model::DecodeOptions options = model::decode_options(GetParam().dtype, 3);
    vk::Target target = test::shared_context().target();
    if (GetParam().is_gpu) target.caps.type = vk::DeviceType::kDiscrete;
    decoder_.emplace(test::shared_context(), *store_, *params_, options, std::span<const model::Adapter>{},
                     &target);
    std::vector<float> weights = model::initial_parameters(*params_, 3);
    for (float& weight : weights) weight *= 4;
    model::upload_decode_params(*store_, *params_, model::ArenaSource(*params_, weights), options);
    RngReader random({.seed = 1, .purpose = RngPurpose::kSampling});
    for (Token& token : prompt_) token = static_cast<Token>(random.next_u64() % 29);
  }

  /// The logits after the prompt, which comes by runs of these lengths, the last of them for the rest.
  std::vector<float> after_runs(std::int32_t slot, const std::vector<std::size_t>& lengths) {
    std::size_t at = 0;
    for (const std::size_t length : lengths) {
      decoder_->run(std::span(prompt_).subspan(at, length), static_cast<std::int32_t>(at), slot);
      at += length;
    }
    EXPECT_EQ(at, prompt_.size());
    return {decoder_->logits(0).begin(), decoder_->logits(0).end()};
  }
  /// Those after steps.
  std::vector<float> after_steps(std::int32_t slot) {
    for (std::size_t at = 0; at < prompt_.size(); ++at) {
      const DecodeRow row{.token = prompt_[at], .position = static_cast<std::int32_t>(at), .slot = slot};
      decoder_->step({&row, 1});
    }
    return {decoder_->logits(0).begin(), decoder_->logits(0).end()};
  }

  std::optional<model::GptParams> params_;
  std::optional<plan::TensorStore> store_;
  std::optional<Decoder> decoder_;
  std::vector<Token> prompt_ = std::vector<Token>(190);
};

TEST_P(GpuDecoder, GivesAPromptTheSameLogitsHoweverItIsCutIntoRuns) {
  const std::vector<float> whole = after_runs(0, {190});
  EXPECT_EQ(after_runs(1, {64, 64, 62}), whole);
  EXPECT_EQ(after_runs(0, {1, 7, 16, 17, 148, 1}), whole);
  EXPECT_EQ(after_runs(2, {33, 156, 1}), whole);
}

TEST_P(GpuDecoder, GivesByStepsWhatItGivesByRuns) {
  const std::vector<float> by_runs = after_runs(0, {190}), by_steps = after_steps(1);
  EXPECT_EQ(decoder_->runs_differ(), GetParam().is_gpu);
  if (!GetParam().is_gpu) {
    EXPECT_EQ(by_runs, by_steps);
  }
  double error = 0, square = 0;
  for (std::size_t i = 0; i < by_runs.size(); ++i) {
    const double difference = static_cast<double>(by_runs[i]) - static_cast<double>(by_steps[i]);
    error += difference * difference;
    square += static_cast<double>(by_steps[i]) * static_cast<double>(by_steps[i]);
  }
  EXPECT_LE(error, (GetParam().dtype == "f32" ? 1e-9 : 1e-4) * square);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GpuDecoder,
                         testing::Values(DecoderKind{false, "f32", false}, DecoderKind{true, "f16", false},
                                         DecoderKind{false, "f32", true}, DecoderKind{true, "f32", true},
                                         DecoderKind{false, "f16", true}, DecoderKind{true, "f16", true},
                                         DecoderKind{true, "q8_0", true}, DecoderKind{true, "q4_0", true},
                                         DecoderKind{true, "nf4", true}),
                         [](const auto& each) {
                           return std::string(each.param.is_llama ? "llama_" : "gpt2_") + each.param.dtype +
                                  (each.param.is_gpu ? "_as_a_gpu" : "");
                         });

}  // namespace
}  // namespace vkgpt::text
