// Training of adapters on a base in few bits against PyTorch and PEFT.

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/init_adapter.hpp"
#include "vkgpt/train/step_runner.hpp"

#include "golden/golden_file.hpp"
#include "gpu_context.hpp"
#include "support/paths.hpp"
#include "train/run_state.hpp"

namespace vkgpt::train {
namespace {

constexpr double kRelative = 1e-3;
constexpr double kLearningRate = 1e-2;

class GpuBaseGolden : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(GpuBaseGolden, LossGradientsAndTwentySteps) {
  const std::string name = std::get<0>(GetParam()), type = std::get<1>(GetParam());
  const Path directory = Path(test::source_dir()) / "tests/golden" / name;
  const auto golden = golden::load(name + "/expected.safetensors");
  const std::vector<std::int32_t> tokens = golden.at("tokens").ints();
  const model::GptConfig model = model::read_model_config(directory);
  TrainConfig config;
  config.init_from = directory.string();
  config.base_dtype = type;
  config.init_adapter = (directory / "adapter").string();
  config.batch_size = 1;
  take_adapter_settings(FieldSet(config), model, config);
  // One window is all that the tokens hold.
  const DataLoader loader(std::span<const std::int32_t>(tokens), std::span<const std::int32_t>(tokens),
                          model.block_size, 1);
  StepRunner runner(test::shared_context(), model, config, loader, [] { return true; });
  set_base(runner);
  std::vector<float> adapters(static_cast<std::size_t>(runner.arena_elements()));
  read_init_adapter(config, runner.params(), adapters);
  runner.set_parameters(adapters);

  const std::vector<float>& losses = golden.at(type + "/losses").values;
  for (std::size_t step = 0; step < losses.size(); ++step) {
    ASSERT_TRUE(runner.submit(static_cast<std::int64_t>(step), kLearningRate));
    runner.drain();
    EXPECT_NEAR(runner.take_outcome()->results.loss, losses[step], kRelative * losses[step]) << step;
    if (step > 0) continue;
    std::vector<float> gradients(adapters.size());
    runner.store().download(model::tensor::kGrads, std::as_writable_bytes(std::span(gradients)));
    for (const model::ParamSpec& spec : runner.params().specs()) {
      if (!spec.trainable) continue;
      const std::vector<float>& expected = golden.at(type + "/grad/" + spec.name).values;
      const float largest = std::abs(std::ranges::max(expected, {}, [](float x) { return std::abs(x); }));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(gradients[static_cast<std::size_t>(spec.offset) + i], expected[i], kRelative * largest)
            << spec.name << " " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuBaseGolden,
                         testing::Combine(testing::Values("base_llama", "base_qwen3"),
                                          testing::Values("q8_0", "nf4", "f16", "bf16")),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param)) + "_" + std::get<1>(each.param);
                         });

}  // namespace
}  // namespace vkgpt::train
