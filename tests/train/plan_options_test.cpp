#include "vkgpt/train/plan_options.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/vk/glsl_support.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::train {
namespace {

using testing::HasSubstr;
using testing::Not;

TrainConfig with_amp(const char* amp) {
  TrainConfig config;
  config.amp = amp;
  return config;
}

/// A GPU that computes in both 16-bit types and has matrices of fp16.
vk::Target gpu() {
  vk::Target target;
  target.caps.name = "card";
  target.caps.storage_16bit = target.caps.shader_f16 = target.caps.shader_bf16 = true;
  target.caps.cooperative_matrices = {{16, 16, 16, "f16", "f32"}};
  return target;
}

TEST(ActivationDtype, AutoIsTheTypeThatMatricesAreOf) {
  vk::Target target = gpu();
  EXPECT_EQ(activation_dtype(with_amp("auto"), target.caps), DType::kF16);
  target.caps.cooperative_matrices.push_back({16, 16, 16, "bf16", "f32"});
  EXPECT_EQ(activation_dtype(with_amp("auto"), target.caps),
            vk::compiles_bfloat16() ? DType::kBF16 : DType::kF16);
  target.caps.cooperative_matrices.clear();
  EXPECT_EQ(activation_dtype(with_amp("auto"), target.caps), DType::kBF16);
  target.caps.shader_bf16 = false;
  EXPECT_EQ(activation_dtype(with_amp("auto"), target.caps), DType::kF16);
  target.caps.storage_16bit = false;
  EXPECT_EQ(activation_dtype(with_amp("auto"), target.caps), DType::kF32);
  expect_error([&] { activation_dtype(with_amp("fp16"), target.caps); }, "16-bit values in buffers");
}

TEST(SpeedNotice, AnExplicitBf16SaysWhatItRunsOn) {
  const vk::Target target = gpu();
  EXPECT_EQ(speed_notice(with_amp("fp16"), target), "");
  EXPECT_EQ(speed_notice(with_amp("auto"), target), "");
  const std::string notice = speed_notice(with_amp("bf16"), target);
  EXPECT_THAT(notice, HasSubstr("--amp bf16 on card: matrix products by simt"));
  EXPECT_THAT(notice, HasSubstr("--amp fp16 would take khr"));
  EXPECT_THAT(notice, Not(HasSubstr("\n")));
}

TEST(SpeedNotice, SaysWhyMatrixUnitsStayUnused) {
  vk::Target target = gpu();
  EXPECT_THAT(speed_notice(with_amp("off"), target), HasSubstr("--amp auto"));
  target.kernels.disabled = {"matmul khr"};
  EXPECT_THAT(speed_notice(with_amp("fp16"), target), HasSubstr("self-test"));
  target.kernels.matmul = vk::Backend::kSimt;
  EXPECT_EQ(speed_notice(with_amp("fp16"), target), "") << "the user's wish";
  target.kernels = {};
  target.caps.type = vk::DeviceType::kCpu;
  EXPECT_EQ(speed_notice(with_amp("off"), target), "");
}

TEST(SpeedNotice, NamesACpuDriverThatANewerOneOutruns) {
  vk::Target target = gpu();
  target.caps.type = vk::DeviceType::kCpu;
  target.caps.driver = "llvmpipe Mesa 25.0.7 (LLVM 19.1.7)";
  EXPECT_THAT(speed_notice(with_amp("off"), target), HasSubstr("Mesa 25.0.7"));
  target.caps.buffer_device_address = true;
  EXPECT_EQ(speed_notice(with_amp("off"), target), "");
}

TEST(BatchSize, OfSeveralRanksLeavesRoomForTheirExchange) {
  vk::Target target;
  target.caps.heap_bytes = target.caps.heap_budget_bytes = 64 << 20;
  model::GptConfig model;
  model.n_layer = 2;
  model.n_embd = 256;
  model.vocab_size = 512;
  model.block_size = 64;
  const model::GptParams params(model, {});
  TrainConfig config;
  config.batch_size = 0;
  const model::RankOptions ranks = rank_options(config, 0, 2);
  const auto bytes = [&](std::int64_t batch_size) {
    config.batch_size = batch_size;
    const plan::MemoryPlan memory =
        train_schedule(params, config, model.block_size, target, false, ranks).memory;
    EXPECT_GT(memory.host_bytes, 0U) << "results, if nothing else, are read in the host's memory";
    return memory.total_bytes();
  };
  const std::int64_t found = resolve_batch_size(params, config, target, ranks);
  EXPECT_LE(bytes(found), target.caps.heap_bytes / 10 * 9);
  EXPECT_GT(bytes(found + 1), target.caps.heap_bytes / 10 * 9);
}

}  // namespace
}  // namespace vkgpt::train
