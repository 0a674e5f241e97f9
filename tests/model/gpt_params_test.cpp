#include "vkgpt/model/gpt_params.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/tiny_config.hpp"

namespace vkgpt::model {
namespace {

TEST(GptParams, TrainableOnesComeFirst) {
  const GptParams params(test::tiny_gpt2_config(), {.freeze = {"h.0.*", "wpe.weight"}});
  std::int64_t end = 0;
  for (const ParamSpec& spec : params.specs()) {
    EXPECT_EQ(spec.trainable, !spec.name.starts_with("h.0.") && spec.name != "wpe.weight") << spec.name;
    EXPECT_EQ(spec.offset % GptParams::kAlignment, 0);
    EXPECT_EQ(spec.offset < params.trainable_elements(), spec.trainable) << spec.name;
    end = std::max(end, spec.offset + spec.numel());
  }
  EXPECT_LE(end, params.arena_elements());
  EXPECT_LT(params.trainable_count(), params.parameter_count());
  EXPECT_THROW(GptParams(test::tiny_gpt2_config(), {.freeze = {"h.7.*"}}), Error);
  EXPECT_THROW(GptParams(test::tiny_gpt2_config(), {.freeze = {"*"}}), Error);
}

TEST(GptParams, AdaptersStandBesideTheirMatrices) {
  const GptParams params(
      test::tiny_gpt2_config(),
      {.freeze = {}, .lora_rank = 3, .lora_alpha = 6, .lora_targets = {"c_attn", "mlp.c_proj"}});
  EXPECT_EQ(params.find("h.1.attn.c_attn.lora_A.weight").shape, (Shape{3, 32}));
  EXPECT_EQ(params.find("h.1.attn.c_attn.lora_B.weight").shape, (Shape{96, 3}));
  EXPECT_EQ(params.find("h.0.mlp.c_proj.lora_A.weight").shape, (Shape{3, 128}));
  EXPECT_EQ(params.find_if_present("h.0.attn.c_proj.lora_A.weight"), nullptr);
  EXPECT_EQ(params.trainable_count(), 2 * (3 * (32 + 96) + 3 * (128 + 32)));
  EXPECT_EQ(params.parameter_count(), GptParams(test::tiny_gpt2_config()).parameter_count());
  EXPECT_THROW(GptParams(test::tiny_gpt2_config(),
                         {.freeze = {}, .lora_rank = 3, .lora_alpha = 6, .lora_targets = {"q_proj"}}),
               Error);
}

TEST(GptParams, MergingAddsTheProduct) {
  const GptParams params(test::tiny_gpt2_config(),
                         {.freeze = {}, .lora_rank = 2, .lora_alpha = 4, .lora_targets = {"c_attn"}});
  std::vector<float> arena = initial_parameters(params, 1);
  const ParamSpec& weight = params.find("h.0.attn.c_attn.weight");
  const ParamSpec& a = params.find("h.0.attn.c_attn.lora_A.weight");
  const ParamSpec& b = params.find("h.0.attn.c_attn.lora_B.weight");
  for (std::int64_t i = 0; i < b.numel(); ++i) arena[static_cast<std::size_t>(b.offset + i)] = 0.01F * i;
  const std::vector<float> before = arena;
  merge_adapters(params, arena);
  const auto at = [&](const ParamSpec& spec, std::int64_t i) {
    return static_cast<double>(before[static_cast<std::size_t>(spec.offset + i)]);
  };
  for (const std::int64_t i : {0, 37, 96 * 32 - 1}) {
    const std::int64_t row = i / 32;
    const std::int64_t column = i % 32;
    const double product = at(b, 2 * row) * at(a, column) + at(b, 2 * row + 1) * at(a, 32 + column);
    EXPECT_NEAR(arena[static_cast<std::size_t>(weight.offset + i)], at(weight, i) + 2 * product, 1e-6);
  }
  EXPECT_EQ(rearrange(params, before, GptParams(test::tiny_gpt2_config())).size(),
            static_cast<std::size_t>(GptParams(test::tiny_gpt2_config()).arena_elements()));
}

}  // namespace
}  // namespace vkgpt::model
