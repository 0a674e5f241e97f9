// What decode plans ask of a GPU, without one.

#include "vkgpt/model/decode_plan.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/vk/device_profile.hpp"

namespace vkgpt::model {
namespace {

/// GPT-2 124M, whose configuration is the default one but for its sizes.
GptConfig gpt2() {
  GptConfig config;
  config.vocab_size = 50257;
  config.block_size = 1024;
  config.n_layer = config.n_head = 12;
  config.n_embd = 768;
  return config;
}

plan::Plan plan_for(const std::string& profile, const std::string& dtype) {
  const GptParams params(gpt2());
  return build_decode_plan(params, {.caps = vk::load_device_profile(profile)}, decode_options(dtype, 4));
}

/// The kernels of a segment's products of `rows` rows, by weight: stem and macros.
std::vector<std::string> products(const plan::Plan& plan, const std::string& segment) {
  std::vector<std::string> kernels;
  for (const plan::Dispatch& dispatch : plan.segment(segment).dispatches) {
    if (!dispatch.kernel.stem.starts_with("linear")) continue;
    std::string kernel = dispatch.kernel.stem;
    for (const auto& [name, value] : dispatch.kernel.macros) {
      if (name != "TAILS") kernel += " " + name + "=" + value;
    }
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

TEST(DecodePlan, HasOneKernelOfAWeightForRunsOfAnyLength) {
  for (const char* profile : {"h100", "radv_navi31", "anv_bmg", "gtx1660"}) {
    for (const char* dtype : {"f32", "f16", "q8_0"}) {
      const plan::Plan plan = plan_for(profile, dtype);
      const std::vector<std::string> most = products(plan, "prefill_256");
      EXPECT_EQ(products(plan, "prefill_16"), most) << profile << ' ' << dtype;
      EXPECT_EQ(products(plan, "prefill_64"), most) << profile << ' ' << dtype;
    }
  }
}

bool is_on_matrices(std::string_view stem) {
  return stem.ends_with("_khr") || stem.ends_with("_nv");
}

TEST(DecodePlan, RunsPromptsOnMatrixUnits) {
  for (const char* profile : {"h100", "radv_navi31"}) {
    for (const char* dtype : {"f16", "q8_0", "nf4"}) {
      const plan::Plan plan = plan_for(profile, dtype);
      std::size_t count = 0;
      for (const plan::Dispatch& dispatch : plan.segment("prefill_256").dispatches) {
        const std::string& stem = dispatch.kernel.stem;
        if (stem == "linear_forward_gemv") continue;  // the last row's logits
        if (stem == "attention_cache_fill") continue;
        if (!stem.starts_with("linear") && !stem.starts_with("attention")) continue;
        EXPECT_TRUE(is_on_matrices(stem)) << profile << ' ' << dtype << ' ' << stem;
        ++count;
      }
      EXPECT_EQ(count, 12U * 5) << profile << ' ' << dtype;
      EXPECT_TRUE(products(plan, "decode_4").front().starts_with("linear_forward_gemv"));
    }
  }
}

TEST(DecodePlan, KeepsKeysInSixteenBitsBesideBlocksOnGpus) {
  const auto type_on = [](const std::string& profile, const std::string& dtype) {
    return decode::cache_dtype(decode_options(dtype, 1), vk::load_device_profile(profile));
  };
  EXPECT_EQ(type_on("h100", "q8_0"), DType::kF16);
  EXPECT_EQ(type_on("h100", "f16"), DType::kF16);
  EXPECT_EQ(type_on("h100", "f32"), DType::kF32);
  EXPECT_EQ(type_on("lavapipe", "q8_0"), DType::kF32);
}

TEST(DecodePlan, DividesKeysAmongWorkgroups) {
  const plan::Plan plan = plan_for("h100", "f16");
  for (const auto& [segment, rows] : {std::pair{"decode_1", 1U}, {"decode_4", 4U}}) {
    for (const plan::Dispatch& dispatch : plan.segment(segment).dispatches) {
      if (dispatch.kernel.stem != "attention_decode") continue;
      EXPECT_EQ(dispatch.groups[0], rows * 12 * 1024 / 128);
    }
  }
}

}  // namespace
}  // namespace vkgpt::model
