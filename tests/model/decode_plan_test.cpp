// What decode plans ask of a GPU, without one.

#include "vkgpt/model/decode_plan.hpp"

#include <cstdint>
#include <set>
#include <string>
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

TEST(DecodePlan, RunsPromptsOnMatrixUnits) {
  const plan::Plan plan = plan_for("h100", "f16");
  const std::vector<std::string> kernels = products(plan, "prefill_256");
  ASSERT_EQ(kernels.size(), 12 * 4 + 1);
  for (std::size_t i = 0; i + 1 < kernels.size(); ++i) {
    EXPECT_TRUE(kernels[i].starts_with("linear_forward_khr") || kernels[i].starts_with("linear_forward_nv"))
        << kernels[i];
  }
  EXPECT_TRUE(kernels.back().starts_with("linear_forward_gemv"));  // the last row's logits
  EXPECT_TRUE(products(plan, "decode_4").front().starts_with("linear_forward_gemv"));
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
