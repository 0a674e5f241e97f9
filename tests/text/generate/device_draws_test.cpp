// Tokens that the device draws are those that the host's sampler draws.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/guarded_run.hpp"
#include "vkgpt/check/numbers.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/text/generate/batch.hpp"

#include "gpu_context.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::text {
namespace {

constexpr SamplerConfig kSettings[] = {
    {.temperature = 0},
    {.temperature = 1},
    {.temperature = 0.6, .top_k = 7},
    {.temperature = 1.2, .top_p = 0.8},
    {.temperature = 0.9, .top_k = 200, .top_p = 0.95},
    {.temperature = 1e-12},
};

/// The tokens drawn on the device from `logits` (rows, Vp) of V tokens by `samplers`, at `position`.
std::vector<Token> draw_on_device(std::span<const float> logits, std::int64_t V, std::int64_t Vp,
                                  std::span<const Sampler> samplers, std::uint32_t position) {
  const auto rows = std::ssize(samplers);
  std::vector<std::uint32_t> controls(static_cast<std::size_t>(rows * ops::kSampleControlWords));
  for (std::size_t r = 0; r < samplers.size(); ++r) {
    const ops::SampleControl control = samplers[r].control(static_cast<std::size_t>(V), position);
    std::memcpy(&controls[r * ops::kSampleControlWords], &control, sizeof(control));
  }
  vk::Target target = test::shared_context().target();
  target.caps.type = vk::DeviceType::kDiscrete;
  check::GuardedRun run(test::shared_context(), target);
  const plan::Tensor drawn = run.output({rows, 2}, DType::kU32);
  ops::sample(run.builder(), {.logits = run.input({rows, Vp}, logits),
                              .controls = run.input({rows, ops::kSampleControlWords}, controls),
                              .drawn = drawn,
                              .V = V});
  EXPECT_EQ(run.run(), "");
  const std::vector<std::uint32_t> words = run.words(drawn);
  std::vector<Token> tokens;
  for (std::size_t r = 0; r < samplers.size(); ++r) {
    EXPECT_EQ(words[2 * r + 1], 0);
    tokens.push_back(static_cast<Token>(words[2 * r]));
  }
  return tokens;
}

/// 128 seeds by every setting, at the vocabulary of GPT-2. A border between tokens may lie so close to the
/// random number that rounding decides; of these draws none does.
TEST(GpuDeviceDraws, AreThoseOfTheHost) {
  constexpr std::int64_t V = 50257, Vp = 50304;
  constexpr std::uint64_t kSeeds = 128;
  std::vector<float> row = check::random_floats(Vp, 5, 1.0F);
  for (float& logit : row) logit = 4 * std::atanh(0.999F * logit) - 100;  // few likely, a long tail
  std::vector<float> logits;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) logits.insert(logits.end(), row.begin(), row.end());
  constexpr std::uint32_t kPosition = 17;
  for (const SamplerConfig& settings : kSettings) {
    std::vector<Sampler> samplers;
    std::vector<Token> expected;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      samplers.emplace_back(settings, seed, static_cast<std::uint32_t>(seed % 3));
      expected.push_back(samplers.back().draw(std::span(row).first(V), {}, kPosition));
    }
    EXPECT_EQ(draw_on_device(logits, V, Vp, samplers, kPosition), expected)
        << settings.temperature << " " << settings.top_k << " " << settings.top_p;
  }
}

/// A model with random weights and a decoder that draws on the device or does not.
class DrawMachine {
 public:
  DrawMachine(bool draws, std::int64_t slots, float poison = 0)
      : params_(config()), store_(test::shared_context()) {
    const model::DecodeOptions options{.slots = slots, .draws = draws};
    decoder_.emplace(test::shared_context(), store_, params_, options);
    std::vector<float> weights = model::initial_parameters(params_, 3);
    for (float& weight : weights) weight *= 4;
    if (poison != 0) weights[0] = poison;
    model::upload_decode_params(store_, params_, model::ArenaSource(params_, weights), options);
  }
  static model::GptConfig config() {
    model::GptConfig config = test::tiny_gpt2_config();
    config.block_size = 96;
    return config;
  }
  Decoder& decoder() { return *decoder_; }

 private:
  model::GptParams params_;
  plan::TensorStore store_;
  std::optional<Decoder> decoder_;
};

/// Texts by every setting; some want log-probabilities or have a repetition penalty, which are the host's.
Continuation varied_wish(std::uint64_t number) {
  RngReader random({.seed = number, .purpose = RngPurpose::kSampling});
  std::vector<Token> prompt(1 + number * 37 % 80);
  for (Token& token : prompt) token = static_cast<Token>(random.below(20));
  Continuation text{.prompt = std::move(prompt),
                    .sampling = kSettings[number % std::size(kSettings)],
                    .seed = 100 + number,
                    .max_new_tokens = 40,
                    .slides = number % 2 == 1,
                    .wants_logprobs = number % 5 == 4};
  if (number % 7 == 6) text.sampling.repetition_penalty = 1.3;
  return text;
}

using TokenTexts = std::map<std::uint64_t, std::vector<Token>>;

TokenTexts together(DrawMachine& machine, std::uint64_t count, std::uint64_t first = 0) {
  Batch batch(machine.decoder(), 23);
  std::map<std::uint64_t, std::uint64_t> numbers;
  for (std::uint64_t number = first; number < first + count; ++number) {
    numbers[batch.add(varied_wish(number))] = number;
  }
  TokenTexts texts;
  while (!batch.is_empty()) {
    for (const DrawnToken& token : batch.step()) {
      EXPECT_EQ(token.error, "");
      EXPECT_EQ(token.has_logprobs, numbers.at(token.id) % 5 == 4);
      EXPECT_LT(token.token, 23);
      texts[numbers.at(token.id)].push_back(token.token);
    }
  }
  return texts;
}

TEST(GpuDeviceDraws, GiveTheHostsTextsAloneAndTogether) {
  constexpr std::uint64_t kTexts = 36;
  DrawMachine host(false, 16), device(true, 16), single(true, 1);
  ASSERT_FALSE(host.decoder().draws());
  ASSERT_TRUE(device.decoder().draws());
  const TokenTexts expected = together(host, kTexts), found = together(device, kTexts);
  EXPECT_EQ(found, expected);
  TokenTexts alone;
  for (std::uint64_t number = 0; number < kTexts; ++number) alone.merge(together(single, 1, number));
  EXPECT_EQ(alone, found);
}

TEST(GpuDeviceDraws, OfDamagedWeightsAreAnError) {
  DrawMachine machine(true, 1, std::numeric_limits<float>::quiet_NaN());
  Batch batch(machine.decoder());
  batch.add({.prompt = {0}, .max_new_tokens = 3});
  const std::vector<DrawnToken> drawn = batch.step();
  ASSERT_EQ(drawn.size(), 1);
  EXPECT_TRUE(drawn[0].is_last);
  EXPECT_NE(drawn[0].error.find("not finite"), std::string::npos);
  EXPECT_TRUE(batch.is_empty());
}

TEST(GpuDeviceDraws, LeaveTheLogitsToThoseWhoWantThem) {
  DrawMachine host(false, 2), device(true, 2);
  const std::vector<Token> tokens = {1, 2, 3, 5, 8};
  const ops::SampleControl greedy{.tokens = 29};
  for (DrawMachine* machine : {&host, &device}) {
    machine->decoder().run(tokens, 0, 0);
    machine->decoder().run(tokens, 0, 1, -1, greedy);
    const DecodeRow rows[] = {{.token = 3, .position = 5, .slot = 0},
                              {.token = 3, .position = 5, .slot = 1, .draw = greedy}};
    machine->decoder().step(rows);
  }
  const auto expected = host.decoder().logits(0), found = device.decoder().logits(0);
  EXPECT_TRUE(std::ranges::equal(found, expected));
  EXPECT_EQ(device.decoder().drawn(1).token, std::ranges::max_element(expected) - expected.begin());
}

}  // namespace
}  // namespace vkgpt::text
