// The train step as it is planned for a GPU, on whatever device the tests have.

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"

#include "gpu_context.hpp"

namespace vkgpt::model {
namespace {

constexpr std::int64_t kBatch = 16;

GptConfig small_model() {
  GptConfig config;
  config.vocab_size = 300;
  config.block_size = 64;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_embd = 64;
  return config;
}

/// The device of the tests with the size and the manners of a card.
vk::Target gpu_target() {
  vk::Target target = test::shared_context().target();
  target.caps.type = vk::DeviceType::kDiscrete;
  target.caps.compute_units = 60;
  return target;
}

plan::Schedule schedule_of(const GptParams& params, DType dtype) {
  const vk::Target target = gpu_target();
  const TrainPlanOptions options{
      .batch_size = kBatch, .grad_accum_steps = 2, .activation_dtype = dtype, .dropout = 0.1};
  return plan::make_schedule(build_train_plan(params, options, target), target.caps);
}

/// Parameters after three steps of two micro-steps each.
std::vector<float> trained(DType dtype) {
  vk::Context& context = test::shared_context();
  const GptConfig config = small_model();
  const GptParams params(config);
  plan::TensorStore store(context);
  plan::Executor executor(context, store, schedule_of(params, dtype));
  std::vector<float> values =
      check::random_floats(static_cast<std::size_t>(params.arena_elements()), 1, 0.05F);
  store.upload(tensor::kParams, std::as_bytes(std::span(values)));
  if (dtype == DType::kF16) {
    const std::vector<std::uint32_t> words = {std::bit_cast<std::uint32_t>(1024.0F), 0, 0, 0};
    store.upload("loss_scale", std::as_bytes(std::span(words)));
  }
  store.poison_arenas();
  const auto count = static_cast<std::size_t>(kBatch * config.block_size);
  const auto V = static_cast<std::int32_t>(config.vocab_size);
  const auto fill = [&](std::uint32_t step, std::uint32_t micro_step) {
    ops::StepParams step_params;
    step_params.step = step;
    step_params.micro_step = micro_step;
    step_params.dropout_step = 2 * step + micro_step;
    step_params.learning_rate = 1e-2F;
    step_params.bias_correction1 = step_params.bias_correction2 = 1;
    std::memcpy(store.upload_slot<std::byte>(tensor::kStepParams, 0).data(), &step_params,
                sizeof(step_params));
    const std::vector<std::int32_t> tokens = check::random_tokens(count, 2 * step + micro_step, V);
    std::ranges::copy(tokens, store.upload_slot<std::int32_t>(tensor::kTokens, 0).begin());
    std::ranges::copy(tokens, store.upload_slot<std::int32_t>(tensor::kTargets, 0).begin());
    std::ranges::copy(order_tokens(config, dtype, gpu_target().caps, tokens),
                      store.upload_slot<std::uint32_t>(tensor::kTokenOrder, 0).begin());
  };
  if (dtype != DType::kF32) executor.submit(segment::kPrepare, 0);
  for (std::uint32_t step = 0; step < 3; ++step) {
    for (const bool is_first : {true, false}) {
      fill(step, is_first ? 0 : 1);
      executor.submit(segment::micro_step(is_first), 0);
      context.queue().wait_idle();
    }
    executor.submit(segment::kUpdate, 0);
    context.queue().wait_idle();
    EXPECT_FALSE(step_results(store.readback_slot<float>(tensor::kStepResults, 0)).skipped);
  }
  store.download(tensor::kParams, std::as_writable_bytes(std::span(values)));
  return values;
}

class GpuPlanOfAGpu : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    const vk::DeviceCaps& caps = test::shared_context().caps();
    if (GetParam() == DType::kF16 && !(caps.shader_f16 && caps.storage_16bit)) GTEST_SKIP() << "no 16 bits";
  }
};

TEST_P(GpuPlanOfAGpu, HasTheKernelsOfGpus) {
  std::set<std::string> stems;
  const plan::Schedule schedule = schedule_of(GptParams(small_model()), GetParam());
  for (const plan::Dispatch& d : schedule.plan.segment(segment::kMicroStep).dispatches) {
    stems.insert(d.kernel.stem);
  }
  for (const char* stem :
       {"linear_backward_weight_reduce", "norm_backward_held", "cross_entropy_forward_held"}) {
    EXPECT_TRUE(stems.contains(stem)) << stem;
  }
}

TEST_P(GpuPlanOfAGpu, RepeatsBitForBit) {
  const std::vector<float> once = trained(GetParam()), again = trained(GetParam());
  EXPECT_EQ(std::memcmp(once.data(), again.data(), once.size() * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(Types, GpuPlanOfAGpu, testing::Values(DType::kF32, DType::kF16),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

}  // namespace
}  // namespace vkgpt::model
