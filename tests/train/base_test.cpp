// Adapters on a base that is held in few bits: the same promises as for other training.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/model/held_weights.hpp"
#include "vkgpt/model/model_directory.hpp"

#include "gpu_context.hpp"
#include "support/temp_directory.hpp"
#include "support/train_run.hpp"
#include "train/run_state.hpp"

namespace vkgpt::train {
namespace {

using test::How;
using test::run_steps;
using test::RunOutcome;
using test::TrainRun;

model::GptConfig base_model() {
  model::GptConfig config = test::small_model();
  config.n_embd = 64;
  config.n_inner = 64;
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.pos_encoding = "rope";
  return config;
}

TrainConfig base_training(const std::string& type) {
  TrainConfig config = test::small_training();
  config.base_dtype = type;
  config.init_from = "base";
  config.lora_rank = 4;
  config.grad_accum_steps = 2;
  return config;
}

class GpuBase : public testing::TestWithParam<const char*> {};

TEST_P(GpuBase, ReplayIsEagerAndLearns) {
  const TrainConfig config = base_training(GetParam());
  const RunOutcome replayed = run_steps(base_model(), config, How::kReplay, 6);
  EXPECT_EQ(run_steps(base_model(), config, How::kEager, 6), replayed);
  EXPECT_EQ(run_steps(base_model(), config, How::kStats, 6), replayed);
  EXPECT_NE(run_steps(base_model(), config, How::kReplay, 1).params, replayed.params);
}

/// Blocks that are computed again in the backward, which is the default here, change no bit.
TEST_P(GpuBase, RecomputesBlocksWithoutAChange) {
  TrainConfig config = base_training(GetParam());
  config.lora_dropout = 0.2;
  const RunOutcome again = run_steps(base_model(), config, How::kReplay, 4);
  config.grad_checkpoint = "none";
  EXPECT_EQ(run_steps(base_model(), config, How::kReplay, 4), again);
}

TEST_P(GpuBase, IsTheModelOfItsNumbers) {
  TrainConfig config = base_training(GetParam());
  const RunOutcome blocks = run_steps(base_model(), config, How::kReplay, 4);
  config.base_dtype = "f32";
  TrainRun numbers(base_model(), config);
  const model::GptParams& params = numbers.runner().params();
  std::vector<float> arena = model::initial_parameters(params, 1);
  for (const model::ParamSpec& spec : params.specs()) {
    const auto type = model::block_type_of(spec, find_block_type(GetParam()));
    if (!type) continue;
    const auto count = static_cast<std::size_t>(spec.numel());
    const std::span<float> values = std::span(arena).subspan(static_cast<std::size_t>(spec.offset), count);
    std::vector<std::uint32_t> quants(block_format(*type).quant_words(count)),
        scales(block_format(*type).scale_words(count));
    encode_blocks(*type, values, quants, scales);
    decode_blocks(*type, quants, scales, values);
  }
  numbers.runner().set_parameters(arena);
  numbers.steps(0, 4);
  const RunOutcome expected = numbers.finish();
  ASSERT_EQ(blocks.losses.size(), expected.losses.size());
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(blocks.losses[i], expected.losses[i], 1e-5 * expected.losses[i]) << i;
    EXPECT_NEAR(blocks.norms[i], expected.norms[i], 1e-4 * expected.norms[i]) << i;
  }
}

TEST_P(GpuBase, GoesOnFromACheckpointThatHoldsNoBase) {
  const TempDirectory directory;
  const model::GptConfig model = base_model();
  TrainConfig config = base_training(GetParam());
  config.init_from = (directory.path() / "base").string();
  TrainRun whole(model, config);
  {
    const model::GptParams& adapted = whole.runner().params();
    const model::GptParams plain(model);
    const std::vector<float> arena = model::rearrange(adapted, model::initial_parameters(adapted, 1), plain);
    std::filesystem::create_directory(config.init_from);
    write_file(Path(config.init_from) / model::kModelConfigFile, model::model_config_json(model, {}));
    OutputFile file(Path(config.init_from) / model::kModelWeightsFile);
    model::write_model_parameters(file, plain, arena);
    file.finish();
  }
  whole.steps(0, 3);
  whole.finish();
  CheckpointStore checkpoints(directory.path() / "run");
  const auto saved =
      checkpoints.save(3, std::nullopt, [&](CheckpointWriter& out) { write_run_state(out, whole.runner()); });
  ASSERT_TRUE(saved.has_value());
  EXPECT_FALSE(std::filesystem::exists(saved->directory / model::kModelWeightsFile));
  whole.steps(3, 6);
  const RunOutcome expected = whole.finish();

  TrainRun resumed(model, config);
  read_run_state(saved->directory, resumed.runner());
  resumed.steps(3, 6);
  EXPECT_EQ(resumed.finish(), expected);
  // The model in full is that of the base with these adapters.
  const model::LoadedModel merged = model::load_model(saved->directory);
  EXPECT_EQ(merged.params.config().n_embd, 64);
  EXPECT_EQ(std::ssize(merged.arena), merged.params.arena_elements());
}

INSTANTIATE_TEST_SUITE_P(Types, GpuBase, testing::Values("q8_0", "q4_0", "nf4", "f16", "bf16"),
                         [](const auto& each) { return std::string(each.param); });

TEST(GpuBaseMixedPrecision, TrainsInSixteenBits) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  TrainConfig config = base_training("nf4");
  config.amp = "fp16";
  const RunOutcome replayed = run_steps(base_model(), config, How::kReplay, 4);
  EXPECT_EQ(run_steps(base_model(), config, How::kEager, 4), replayed);
  for (const float loss : replayed.losses) EXPECT_TRUE(std::isfinite(loss));
}

TEST(BaseConfig, NeedsAdaptersAndAModel) {
  const auto refusal = [](void (*change)(TrainConfig&)) -> std::string {
    TrainConfig config = base_training("q8_0");
    change(config);
    try {
      config.validate();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal([](TrainConfig&) {}), "");
  EXPECT_NE(refusal([](TrainConfig& c) { c.lora_rank = 0; }).find("--lora_rank"), std::string::npos);
  EXPECT_NE(refusal([](TrainConfig& c) { c.init_from = ""; }).find("--init_from"), std::string::npos);
  EXPECT_NE(refusal([](TrainConfig& c) { c.freeze = "h.0.*"; }).find("--freeze"), std::string::npos);
  EXPECT_NE(refusal([](TrainConfig& c) { c.ema = true; }).find("--ema"), std::string::npos);
}

}  // namespace
}  // namespace vkgpt::train
