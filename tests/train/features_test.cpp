// Every training feature lives inside the one recorded step: replayed steps are eager steps bit for bit,
// record nothing, and go on bit for bit from a checkpoint.

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/train/plan_options.hpp"

#include "check/compare.hpp"
#include "gpu_context.hpp"
#include "support/call_counter.hpp"
#include "support/temp_directory.hpp"
#include "support/train_run.hpp"
#include "train/run_state.hpp"

namespace vkgpt::train {
namespace {

using test::How;
using test::run_steps;
using test::RunOutcome;
using test::small_model;
using test::small_training;
using test::TrainRun;

struct Feature {
  std::string name;
  void (*set)(TrainConfig&);
};

std::vector<Feature> features() {
  return {
      {"dropout", [](TrainConfig& c) { c.dropout = 0.2; }},
      {"loss_shaping", [](TrainConfig& c) { c.label_smoothing = 0.1, c.z_loss = 1e-3; }},
      {"ema", [](TrainConfig& c) { c.ema = true; }},
      {"lion", [](TrainConfig& c) { c.optimizer = "lion", c.learning_rate = 3e-4; }},
      {"muon", [](TrainConfig& c) { c.optimizer = "muon"; }},
      {"adamw8", [](TrainConfig& c) { c.optimizer = "adamw8"; }},
      {"fp16", [](TrainConfig& c) { c.amp = "fp16"; }},
      {"bf16", [](TrainConfig& c) { c.amp = "bf16", c.ema = true; }},
      {"checkpoint_block", [](TrainConfig& c) { c.grad_checkpoint = "block", c.dropout = 0.1; }},
      {"offload", [](TrainConfig& c) { c.offload = "activations"; }},
      {"checkpoint_attention", [](TrainConfig& c) { c.grad_checkpoint = "attention"; }},
      {"freeze", [](TrainConfig& c) { c.freeze = "h.0.*,wte.weight"; }},
      {"lora", [](TrainConfig& c) { c.lora_rank = 4; }},
      {"lora_dropout",
       [](TrainConfig& c) { c.lora_rank = 4, c.lora_dropout = 0.3, c.lora_rank_stabilized = true; }},
      {"curriculum",
       [](TrainConfig& c) { c.curriculum = true, c.curriculum_start_block_size = 5, c.max_steps = 8; }},
      {"fp16_dropout_muon", [](TrainConfig& c) { c.amp = "fp16", c.dropout = 0.1, c.optimizer = "muon"; }},
  };
}

class GpuFeature : public testing::TestWithParam<Feature> {
 protected:
  GpuFeature() : model_(small_model()), config_(small_training()) {
    GetParam().set(config_);
    config_.grad_accum_steps = 2;
  }
  void SetUp() override {
    if (config_.amp != "off" && !test::shared_context().caps().storage_16bit) {
      GTEST_SKIP() << "the device has no 16-bit storage";
    }
  }

  model::GptConfig model_;
  TrainConfig config_;
};

TEST_P(GpuFeature, ReplayIsEagerAndLearns) {
  const RunOutcome replayed = run_steps(model_, config_, How::kReplay, 8);
  EXPECT_EQ(run_steps(model_, config_, How::kEager, 8), replayed);
  EXPECT_EQ(run_steps(model_, config_, How::kStats, 8), replayed);
  for (const float loss : replayed.losses) EXPECT_TRUE(std::isfinite(loss));
  const RunOutcome start = run_steps(model_, config_, How::kReplay, 1);
  EXPECT_NE(start.params, replayed.params);
}

TEST_P(GpuFeature, AddsNoSubmissionToTheReplayedStep) {
  config_.curriculum = false;  // another context length is another recording
  TrainRun run(model_, config_);
  run.steps(0, 2);
  run.runner().drain();
  test::CallCounter counter;
  run.steps(2, 3);
  EXPECT_EQ(counter.dispatches(), 0);
  EXPECT_EQ(counter.submits(), 2 + 1) << "two micro-steps, update";
}

TEST_P(GpuFeature, GoesOnFromACheckpointBitForBit) {
  const TempDirectory directory;
  TrainRun whole(model_, config_);
  whole.steps(0, 3);
  whole.finish();
  CheckpointStore checkpoints(directory.path() / "run");
  const auto saved =
      checkpoints.save(3, std::nullopt, [&](CheckpointWriter& out) { write_run_state(out, whole.runner()); });
  ASSERT_TRUE(saved.has_value());
  whole.steps(3, 6);
  const RunOutcome expected = whole.finish();

  TrainRun resumed(model_, config_);
  read_run_state(saved->directory, resumed.runner());
  resumed.steps(3, 6);
  EXPECT_EQ(resumed.finish(), expected);
  if (config_.ema) {
    EXPECT_EQ(resumed.runner().evaluate(Split::kValidation, 2, Weights::kAverage),
              whole.runner().evaluate(Split::kValidation, 2, Weights::kAverage));
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuFeature, testing::ValuesIn(features()),
                         [](const auto& each) { return each.param.name; });

TEST(GpuGradCheckpoint, GivesTheBitsOfNone) {
  for (const bool parallel : {false, true}) {
    model::GptConfig model = small_model();
    model.parallel_blocks = parallel;
    model.pos_encoding = "rope";
    TrainConfig config = small_training();
    config.dropout = 0.1;
    const RunOutcome none = run_steps(model, config, How::kReplay, 4);
    for (const char* policy : {"block", "attention"}) {
      config.grad_checkpoint = policy;
      EXPECT_EQ(run_steps(model, config, How::kReplay, 4), none) << policy;
    }
    config.grad_checkpoint = "auto";
    config.offload = "activations";
    EXPECT_EQ(run_steps(model, config, How::kReplay, 4), none) << "offloaded";
  }
}

TEST(Offload, TakesTheDevicesActivationsTheirGrowthWithDepth) {
  model::GptConfig model = small_model();
  TrainConfig config = small_training();
  config.grad_checkpoint = "block";
  config.batch_size = 64;  // so that the micro-step, not the update, needs the most
  vk::Target target;
  target.caps.max_allocation_bytes = UINT64_MAX;
  const auto memory = [&](std::int64_t layers) {
    model.n_layer = layers;
    return train_schedule(model::GptParams(model), config, model.block_size, target).memory;
  };
  const auto activations = [&](std::int64_t layers) {
    return memory(layers).bytes_by_role.at(plan::Role::kActivations);
  };
  const auto input = static_cast<std::uint64_t>(config.batch_size * model.block_size * model.n_embd) * 4;
  const std::uint64_t results = memory(6).host_bytes;  // what the host reads of a step
  EXPECT_LT(results, 1U << 16);
  EXPECT_GE(activations(12), activations(6) + 6 * input);
  config.offload = "activations";
  EXPECT_EQ(memory(6).host_bytes - results, 5 * input) << "all but that of the last block";
  EXPECT_EQ(activations(12), activations(6));
  config.grad_checkpoint = "attention";
  EXPECT_THROW(config.validate(), Error);
}

TEST(GpuFreeze, FrozenParametersKeepEveryBit) {
  TrainConfig config = small_training();
  config.freeze = "h.0.*,wte.weight";
  TrainRun run(small_model(), config);
  const model::GptParams& params = run.runner().params();
  const std::vector<float> before = run.finish().params;
  run.steps(0, 3);
  const std::vector<float> after = run.finish().params;
  for (const model::ParamSpec& spec : params.specs()) {
    const auto same = std::equal(before.begin() + spec.offset, before.begin() + spec.offset + spec.numel(),
                                 after.begin() + spec.offset);
    EXPECT_EQ(same, !spec.trainable) << spec.name;
  }
}

TEST(GpuLora, MergedWeightsAreTheAdaptedModel) {
  TrainConfig config = small_training();
  config.lora_rank = 4;
  config.learning_rate = 1e-2;
  const model::GptConfig model = small_model();
  TrainRun run(model, config);
  const model::GptParams& params = run.runner().params();
  text::Generator adapted(test::shared_context(), run.runner().store(), params);
  const std::vector<float> before = run.finish().params;
  run.steps(0, 5);
  std::vector<float> arena = run.finish().params;
  EXPECT_TRUE(std::equal(before.begin() + params.trainable_elements(), before.end(),
                         arena.begin() + params.trainable_elements()))
      << "the base stays";

  const std::vector<std::int32_t> tokens = check::random_tokens(9, 3, 29);
  const auto logits = adapted.prefill(tokens);
  const std::vector<float> expected(logits.begin(), logits.end());
  model::merge_adapters(params, arena);
  const model::GptParams plain(model);
  const std::vector<float> merged = model::rearrange(params, arena, plain);
  plan::TensorStore store(test::shared_context());
  text::Generator generator(test::shared_context(), store, plain);
  store.upload(model::tensor::kParams, std::as_bytes(std::span(merged)));
  const auto got = generator.prefill(tokens);
  for (std::size_t v = 0; v < got.size(); ++v) EXPECT_NEAR(got[v], expected[v], 1e-4) << v;
}

TEST(GpuMixedPrecision, AnOverflowSkipsTheStepAndHalvesTheScale) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  TrainConfig config = small_training();
  config.amp = "fp16";
  TrainRun run(small_model(), config);
  run.steps(0, 2);
  const RunOutcome before = run.finish();
  std::uint32_t scale[4];
  const auto download_scale = [&] {
    run.runner().store().download("loss_scale", std::as_writable_bytes(std::span(scale)));
    return std::bit_cast<float>(scale[0]);
  };
  const float first = download_scale();
  // A scale beyond fp16: every gradient overflows.
  const float huge = 16777216;
  std::memcpy(&scale[0], &huge, sizeof(huge));
  run.runner().store().upload("loss_scale", std::as_bytes(std::span(scale)));
  run.steps(2, 3);
  const RunOutcome overflown = run.finish();
  EXPECT_EQ(overflown.skipped, std::vector<float>{1});
  EXPECT_EQ(overflown.params, before.params);
  EXPECT_EQ(download_scale(), huge / 2);
  std::memcpy(&scale[0], &first, sizeof(first));
  run.runner().store().upload("loss_scale", std::as_bytes(std::span(scale)));
  run.steps(3, 5);
  const RunOutcome after = run.finish();
  EXPECT_EQ(after.skipped, (std::vector<float>{0, 0}));
  EXPECT_NE(after.params, before.params);
}

TEST(GpuMixedPrecision, APlantedNanSkipsTheStep) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  for (const char* amp : {"fp16", "bf16"}) {
    TrainConfig config = small_training();
    config.amp = amp;
    TrainRun run(small_model(), config);
    run.steps(0, 1);
    std::vector<float> params = run.finish().params;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto offset = static_cast<std::uint64_t>(run.runner().params().find("h.0.mlp.c_fc.bias").offset);
    run.runner().store().upload(model::tensor::kParams, std::as_bytes(std::span(&nan, 1)), offset * 4);
    params[offset] = nan;
    run.steps(1, 2);
    const RunOutcome poisoned = run.finish();
    EXPECT_EQ(poisoned.skipped, std::vector<float>{1}) << amp;
    EXPECT_EQ(std::memcmp(poisoned.params.data(), params.data(), params.size() * sizeof(float)), 0) << amp;
  }
}

TEST(GpuMixedPrecision, MemoryFallsAsPlanned) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  model::GptConfig model = small_model();
  model.n_layer = 4;
  model.block_size = 128;
  TrainConfig config = small_training();
  std::uint64_t activations[2];
  for (const bool half : {false, true}) {
    config.amp = half ? "fp16" : "off";
    TrainRun run(model, config);
    const plan::MemoryPlan& memory = run.runner().executor().schedule().memory;
    EXPECT_NEAR(static_cast<double>(run.runner().store().allocated_bytes()),
                static_cast<double>(memory.total_bytes()), 0.05 * static_cast<double>(memory.total_bytes()));
    activations[half ? 1 : 0] = memory.bytes_by_role.at(plan::Role::kActivations);
  }
  EXPECT_LT(static_cast<double>(activations[1]), 0.65 * static_cast<double>(activations[0]));
}

}  // namespace
}  // namespace vkgpt::train
