// Texts that are continued together are those that are continued alone.

#include "vkgpt/text/generate/batch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/held_weights.hpp"

#include "gpu_context.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::text {
namespace {

/// A model with random weights, large enough that its texts differ, and a decoder of it.
class Machine {
 public:
  Machine(const model::GptConfig& config, std::int64_t slots, const std::string& dtype, bool is_gpu = false,
          float poison = 0)
      : params_(config), store_(test::shared_context()) {
    const model::DecodeOptions options = model::decode_options(dtype, slots);
    vk::Target target = test::shared_context().target();
    if (is_gpu) target.caps.type = vk::DeviceType::kDiscrete;
    decoder_.emplace(test::shared_context(), store_, params_, options, std::span<const model::Adapter>{},
                     &target);
    std::vector<float> weights = model::initial_parameters(params_, 3);
    for (float& weight : weights) weight *= 4;
    if (poison != 0) weights[0] = poison;
    model::upload_decode_params(store_, params_, model::ArenaSource(params_, weights), options);
  }
  /// The same model with the numbers that matrices in blocks of `type` stand for, held in f32.
  Machine(const model::GptConfig& config, BlockType type) : params_(config), store_(test::shared_context()) {
    const model::DecodeOptions options = model::decode_options("f32", 1);
    decoder_.emplace(test::shared_context(), store_, params_, options);
    std::vector<float> weights = model::initial_parameters(params_, 3);
    for (float& weight : weights) weight *= 4;
    for (const model::ParamSpec& spec : params_.specs()) {
      const auto held = model::block_type_of(spec, type);
      if (!held) continue;
      const auto count = static_cast<std::size_t>(spec.numel());
      const std::span<float> values =
          std::span(weights).subspan(static_cast<std::size_t>(spec.offset), count);
      std::vector<std::uint32_t> quants(block_format(*held).quant_words(count)),
          scales(block_format(*held).scale_words(count));
      encode_blocks(*held, values, quants, scales);
      decode_blocks(*held, quants, scales, values);
    }
    model::upload_decode_params(store_, params_, model::ArenaSource(params_, weights), options);
  }
  Decoder& decoder() { return *decoder_; }

 private:
  model::GptParams params_;
  plan::TensorStore store_;
  std::optional<Decoder> decoder_;
};

model::GptConfig config_of(bool is_llama) {
  model::GptConfig config = is_llama ? test::tiny_llama_config() : test::tiny_gpt2_config();
  config.block_size = 96;
  if (is_llama) {
    config.attention_window = 40;
    config.n_inner = 64;  // whole blocks
  }
  return config;
}

std::vector<Token> random_prompt(std::size_t length, std::uint64_t seed) {
  RngReader random({.seed = seed, .purpose = RngPurpose::kSampling});
  std::vector<Token> tokens(length);
  for (Token& token : tokens) token = static_cast<Token>(random.next_u64() % 29);
  return tokens;
}

Continuation wish(std::uint64_t number) {
  const std::size_t length = 1 + number * 37 % 80;
  return {.prompt = random_prompt(length, number),
          .sampling = {.temperature = 1.0, .top_k = number % 3 == 0 ? 5 : 0},
          .seed = 100 + number,
          .max_new_tokens = static_cast<std::int64_t>(20 + number * 13 % 90),
          .slides = number % 4 == 1,
          .wants_logprobs = true,
          .likeliest = number % 3};
}

/// Token by token, with the bits of the log-probabilities.
using Texts = std::map<std::uint64_t, std::vector<std::pair<Token, double>>>;

void collect(const std::vector<DrawnToken>& drawn, const std::map<std::uint64_t, std::uint64_t>& numbers,
             Texts& texts) {
  for (const DrawnToken& token : drawn) {
    ASSERT_EQ(token.error, "");
    texts[numbers.at(token.id)].emplace_back(token.token, token.logprob);
  }
}

Texts alone(Machine& machine, std::uint64_t count) {
  Texts texts;
  for (std::uint64_t number = 0; number < count; ++number) {
    Batch batch(machine.decoder());
    const std::map<std::uint64_t, std::uint64_t> numbers = {{batch.add(wish(number)), number}};
    while (!batch.is_empty()) collect(batch.step(), numbers, texts);
  }
  return texts;
}

struct BatchKind {
  bool is_llama;
  std::string dtype;
  bool is_gpu = false;  // kernels of GPUs
};

bool is_stored(const BatchKind& kind) {
  return kind.dtype != "f16" || test::stores(DType::kF16);
}

class GpuBatch : public testing::TestWithParam<BatchKind> {};

TEST_P(GpuBatch, GivesTheSameTextsAloneAndAmongOthers) {
  if (!is_stored(GetParam())) GTEST_SKIP() << "no 16-bit storage";
  constexpr std::uint64_t kTexts = 24;
  const model::GptConfig config = config_of(GetParam().is_llama);
  const auto& [is_llama, dtype, is_gpu] = GetParam();
  Machine single(config, 1, dtype, is_gpu), many(config, 16, dtype, is_gpu);
  const Texts expected = alone(single, kTexts);
  EXPECT_NE(expected.at(0), expected.at(1));
  // Some at once, more than there are slots; others while those run; then all again, over what is cached.
  Texts texts, again;
  Batch batch(many.decoder());
  for (Texts* result : {&texts, &again}) {
    std::map<std::uint64_t, std::uint64_t> numbers;
    std::uint64_t next = 0;
    while (next < 19) numbers[batch.add(wish(next))] = next, ++next;
    EXPECT_EQ(batch.waiting(), 19);
    for (int step = 0; !batch.is_empty() || next < kTexts; ++step) {
      if (next < kTexts && step % 3 == 0) numbers[batch.add(wish(next))] = next, ++next;
      collect(batch.step(), numbers, *result);
      EXPECT_LE(batch.running(), 16);
    }
  }
  EXPECT_EQ(texts, expected);
  EXPECT_EQ(again, expected);
  EXPECT_GT(batch.tokens_reused(), 0);
}

TEST_P(GpuBatch, ReusesTheBeginningThatASlotHolds) {
  if (!is_stored(GetParam())) GTEST_SKIP() << "no 16-bit storage";
  Machine machine(config_of(GetParam().is_llama), 2, GetParam().dtype, GetParam().is_gpu);
  Batch batch(machine.decoder());
  Continuation first = wish(2);
  first.max_new_tokens = 8;
  first.slides = false;
  std::vector<Token> conversation = first.prompt;
  batch.add(first);
  while (!batch.is_empty()) {
    for (const DrawnToken& drawn : batch.step()) conversation.push_back(drawn.token);
  }
  EXPECT_EQ(batch.tokens_reused(), 0);
  const std::uint64_t run = batch.tokens_run();
  // The last token that was drawn was never run.
  conversation.insert(conversation.end(), {1, 2, 3});
  Continuation second = first;
  second.prompt = conversation;
  second.max_new_tokens = 1;
  batch.add(second);
  const std::vector<DrawnToken> continued = batch.step();
  // On GPUs what was drawn came by steps and is run once more.
  const std::size_t reused = GetParam().is_gpu ? first.prompt.size() : conversation.size() - 4;
  EXPECT_EQ(batch.tokens_reused(), reused);
  EXPECT_EQ(batch.tokens_run() - run, conversation.size() - reused);
  batch.forget();
  batch.add(second);
  std::vector<DrawnToken> afresh;
  while (!batch.is_empty()) {
    for (DrawnToken& drawn : batch.step()) afresh.push_back(std::move(drawn));
  }
  ASSERT_EQ(continued.size(), 1);
  ASSERT_EQ(afresh.size(), 1);
  EXPECT_EQ(continued[0].token, afresh[0].token);
  EXPECT_EQ(continued[0].logprob, afresh[0].logprob);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GpuBatch,
                         testing::Values(BatchKind{false, "f32"}, BatchKind{false, "f16"},
                                         BatchKind{false, "q8_0"}, BatchKind{true, "f32"},
                                         BatchKind{true, "f16"}, BatchKind{true, "q8_0"},
                                         BatchKind{true, "q4_0"}, BatchKind{true, "nf4"},
                                         BatchKind{false, "f32", true}, BatchKind{true, "f16", true},
                                         BatchKind{true, "q8_0", true}),
                         [](const auto& each) {
                           return std::string(each.param.is_llama ? "llama_" : "gpt2_") + each.param.dtype +
                                  (each.param.is_gpu ? "_as_a_gpu" : "");
                         });

TEST(GpuBatchTexts, OfBlocksAreThoseOfTheirNumbers) {
  for (const BlockType type : {BlockType::kQ8_0, BlockType::kQ4_0, BlockType::kNF4}) {
    Machine blocks(config_of(true), 1, std::string(block_format(type).name)), numbers(config_of(true), type);
    EXPECT_EQ(alone(blocks, 3), alone(numbers, 3)) << block_format(type).name;
  }
}

TEST(GpuBatchTexts, NeedRowsOfWholeBlocks) {
  model::GptConfig config = test::tiny_llama_config();
  try {
    Machine machine(config, 1, "q8_0");
    FAIL() << "rows of 40 numbers";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("h.0.mlp.c_proj.weight have 40"), std::string::npos);
  }
}

TEST(GpuBatchTexts, FreesTheSlotOfATextThatIsRemoved) {
  Machine machine(config_of(false), 2, "f32");
  Batch batch(machine.decoder());
  const std::uint64_t first = batch.add(wish(2)), second = batch.add(wish(3)), third = batch.add(wish(4));
  batch.step();
  EXPECT_EQ(batch.running(), 2);
  EXPECT_EQ(batch.waiting(), 1);
  batch.remove(first);
  batch.remove(first);
  EXPECT_EQ(batch.running(), 1);
  batch.step();
  EXPECT_EQ(batch.running(), 2);
  batch.remove(second);
  batch.remove(third);
  EXPECT_TRUE(batch.is_empty());
  EXPECT_TRUE(batch.step().empty());
}

TEST(GpuBatchTexts, OfTwoConversationsKeepASlotEach) {
  Machine machine(config_of(false), 3, "f32");
  Batch batch(machine.decoder());
  const auto run = [&](const std::vector<Token>& prompt, std::int64_t drawn) {
    const std::uint64_t reused = batch.tokens_reused();
    batch.add({.prompt = prompt, .max_new_tokens = drawn});
    while (!batch.is_empty()) batch.step();
    return batch.tokens_reused() - reused;
  };
  std::vector<Token> a = random_prompt(20, 1), b = a;
  const std::vector<Token> other = random_prompt(30, 2);
  b.push_back((other[0] + 1) % 29);
  a.insert(a.end(), other.begin(), other.end());
  b.insert(b.end(), other.begin(), other.end());
  EXPECT_EQ(run(a, 1), 0);
  EXPECT_EQ(run(b, 1), 0) << "20 tokens are shared, and 30 would be lost";
  for (int turn = 0; turn < 3; ++turn) {
    for (std::vector<Token>* each : {&a, &b}) {
      const std::size_t before = each->size();
      each->insert(each->end(), {1, 2, 3});
      EXPECT_EQ(run(*each, 1), before);
    }
  }
  // Drawn anew after a long reply: its own slot is right.
  EXPECT_EQ(run(a, 30), a.size() - 1);
  EXPECT_EQ(run(a, 1), a.size() - 1);
  // Short of a beginning that is worth more than what is lost.
  std::vector<Token> c = a;
  c.back() = 4;
  EXPECT_EQ(run(c, 1), a.size() - 1);
}

TEST(GpuBatchTexts, EndWhereTheContextIsFull) {
  Machine machine(config_of(false), 1, "f32");
  Batch batch(machine.decoder());
  Continuation text = wish(0);
  text.prompt = random_prompt(90, 1);
  text.max_new_tokens = 1000;
  batch.add(text);
  std::vector<DrawnToken> drawn;
  while (!batch.is_empty()) {
    for (DrawnToken& token : batch.step()) drawn.push_back(std::move(token));
  }
  // The token at the last position is run, and one more is drawn from it.
  EXPECT_EQ(drawn.size(), 96 - 90 + 1);
  EXPECT_TRUE(drawn.back().is_last);
}

TEST(GpuBatchTexts, GiveLogProbabilities) {
  Machine machine(config_of(false), 1, "f32");
  Batch batch(machine.decoder(), 20);
  Continuation text = wish(0);
  text.likeliest = 20;
  text.max_new_tokens = 1;
  batch.add(text);
  const std::vector<DrawnToken> drawn = batch.step();
  ASSERT_EQ(drawn.size(), 1);
  double sum = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    const TokenLogprob& each = drawn[0].likeliest.at(i);
    if (each.token == drawn[0].token) {
      EXPECT_EQ(each.logprob, drawn[0].logprob);
    }
    if (i > 0) {
      EXPECT_GE(drawn[0].likeliest[i - 1].logprob, each.logprob);
    }
    sum += std::exp(each.logprob);
  }
  EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(GpuBatchTexts, AModelOfDamagedWeightsGivesAnErrorAndFreesTheSlot) {
  Machine machine(config_of(false), 1, "f32", false, std::numeric_limits<float>::quiet_NaN());
  Batch batch(machine.decoder());
  Continuation text = wish(0);
  text.prompt = {0};
  batch.add(text);
  const std::vector<DrawnToken> drawn = batch.step();
  ASSERT_EQ(drawn.size(), 1);
  EXPECT_TRUE(drawn[0].is_last);
  EXPECT_NE(drawn[0].error.find("not finite"), std::string::npos);
  EXPECT_TRUE(batch.is_empty());
}

}  // namespace
}  // namespace vkgpt::text
