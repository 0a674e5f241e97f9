// Texts of different adapters in one batch are those that each gives alone.

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/text/generate/batch.hpp"

#include "gpu_context.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::text {
namespace {

/// Adapters with numbers large enough that they change texts; of c_attn only the first and last rows, each
/// with an A of its own.
model::Adapter random_adapter(const model::GptParams& params, std::int64_t rank, std::uint64_t seed) {
  RngReader random({.seed = seed, .purpose = RngPurpose::kInit});
  const auto numbers = [&](std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = static_cast<float>(random.next_u64() % 2001) / 2000 - 0.5F;
    return values;
  };
  model::Adapter adapter{.rank = rank, .scale = 0.5, .parts = {}};
  for (const model::ParamSpec& spec : params.specs()) {
    if (!spec.name.starts_with("h.") || spec.shape.rank() != 2) continue;
    const bool is_qkv = spec.name.ends_with("c_attn.weight");
    const std::int64_t rows = is_qkv ? spec.shape[0] / 4 : spec.shape[0];
    for (const std::int64_t first :
         is_qkv ? std::vector{std::int64_t{0}, spec.shape[0] - rows} : std::vector{std::int64_t{0}}) {
      adapter.parts.push_back({.param = spec.name,
                               .first_row = first,
                               .rows = rows,
                               .a = numbers(rank * spec.shape.back()),
                               .b = numbers(rows * rank)});
    }
  }
  return adapter;
}

struct AdapterKind {
  bool is_llama;
  std::string dtype;
};

class GpuAdapters : public testing::TestWithParam<AdapterKind> {
 protected:
  void SetUp() override {
    if (GetParam().dtype == "f16" && !test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
    model::GptConfig config = GetParam().is_llama ? test::tiny_llama_config() : test::tiny_gpt2_config();
    config.block_size = 64;
    config.n_inner = 64;
    params_.emplace(config);
    weights_ = model::initial_parameters(*params_, 3);
    for (float& weight : weights_) weight *= 4;
    adapters_ = {random_adapter(*params_, 4, 1), random_adapter(*params_, 5, 2)};
  }

  struct Machine {
    Machine(const model::GptParams& params, std::span<const float> weights, const std::string& dtype,
            std::int64_t slots, std::span<const model::Adapter> adapters)
        : store(test::shared_context()),
          decoder(test::shared_context(), store, params, model::decode_options(dtype, slots), adapters) {
      model::upload_decode_params(store, params, model::ArenaSource(params, weights),
                                  model::decode_options(dtype, slots), adapters);
    }
    plan::TensorStore store;
    Decoder decoder;
  };

  static Continuation wish(int number, int adapters) {
    std::vector<Token> prompt;
    for (int i = 0; i < 3 + number % 5 * 7; ++i)
      prompt.push_back(static_cast<Token>((i * i + number / 3) % 29));
    return {.prompt = std::move(prompt),
            .seed = 7,
            .adapter = number % (adapters + 1) - 1,
            .max_new_tokens = 20,
            .wants_logprobs = true};
  }

  using Texts = std::map<std::uint64_t, std::vector<std::pair<Token, double>>>;
  static Texts run(Batch& batch) {
    Texts texts;
    while (!batch.is_empty()) {
      for (const DrawnToken& token : batch.step()) {
        EXPECT_EQ(token.error, "");
        texts[token.id].emplace_back(token.token, token.logprob);
      }
    }
    return texts;
  }

  std::optional<model::GptParams> params_;
  std::vector<float> weights_;
  std::vector<model::Adapter> adapters_;
};

TEST_P(GpuAdapters, GiveInOneBatchWhatEachGivesAlone) {
  Machine machine(*params_, weights_, GetParam().dtype, 8, adapters_);
  constexpr int kTexts = 12;
  Batch batch(machine.decoder);
  std::vector<std::uint64_t> ids;
  for (int number = 0; number < kTexts; ++number) ids.push_back(batch.add(wish(number, 2)));
  const Texts together = run(batch);
  std::map<Token, int> firsts;
  for (int number = 0; number < kTexts; ++number) {
    Batch alone(machine.decoder);
    const std::uint64_t id = alone.add(wish(number, 2));
    EXPECT_EQ(run(alone).at(id), together.at(ids[static_cast<std::size_t>(number)])) << number;
  }
  EXPECT_NE(together.at(ids[0]), together.at(ids[1])) << "the same prompt with another adapter";
  EXPECT_NE(together.at(ids[1]), together.at(ids[2]));
}

/// A cache that was computed with one adapter is of no use to another.
TEST_P(GpuAdapters, ShareNoCacheOfAnother) {
  Machine machine(*params_, weights_, GetParam().dtype, 1, adapters_);
  Batch batch(machine.decoder);
  Continuation text = wish(4, 2);
  text.adapter = 0;
  batch.add(text);
  run(batch);
  text.adapter = 1;
  const std::uint64_t id = batch.add(text);
  const Texts after = run(batch);
  EXPECT_EQ(batch.tokens_reused(), 0);
  Batch alone(machine.decoder);
  EXPECT_EQ(run(alone).size(), 0U);
  const std::uint64_t again = alone.add(text);
  EXPECT_EQ(run(alone).at(again), after.at(id));
}

/// Where numbers are f32: a merged model in a smaller type is rounded after the sum.
class GpuMergedAdapters : public GpuAdapters {};

TEST_P(GpuMergedAdapters, ComputeTheSame) {
  Machine machine(*params_, weights_, "f32", 1, adapters_);
  for (std::size_t number = 0; number < adapters_.size(); ++number) {
    std::vector<float> merged = weights_;
    model::merge_adapter(adapters_[number], *params_, merged);
    Machine whole(*params_, merged, "f32", 1, {});
    const std::vector<Token> tokens = {1, 2, 3, 5, 8, 13, 21};
    machine.decoder.run(tokens, 0, 0, static_cast<std::int32_t>(number));
    whole.decoder.run(tokens, 0, 0);
    const auto found = machine.decoder.logits(0), wanted = whole.decoder.logits(0);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR(found[i], wanted[i], 2e-4 * (1 + std::abs(wanted[i]))) << number << " " << i;
    }
  }
}

std::string name_of(const testing::TestParamInfo<AdapterKind>& each) {
  return (each.param.is_llama ? "llama_" : "gpt2_") + each.param.dtype;
}

INSTANTIATE_TEST_SUITE_P(Kinds, GpuAdapters,
                         testing::Values(AdapterKind{false, "f32"}, AdapterKind{true, "f32"},
                                         AdapterKind{true, "f16"}, AdapterKind{true, "q8_0"},
                                         AdapterKind{true, "nf4"}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Kinds, GpuMergedAdapters,
                         testing::Values(AdapterKind{false, "f32"}, AdapterKind{true, "f32"}), name_of);

}  // namespace
}  // namespace vkgpt::text
