#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

using check::random_floats;
using check::to_double;
using test::OpRunner;

constexpr AdamW kAdamW{.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
/// Big, small, big, and a gap that is nobody's; none of them whole blocks.
const std::vector<Slice> kTensors{{0, 4100}, {4352, 100}, {4608, 4095}, {8960, 5000}};
constexpr std::int64_t kElements = 8960 + 5120;
constexpr std::size_t kBigBlocks = 17 + 20;
constexpr std::uint64_t kSlicedBytes = 256 * 11 * sizeof(float);

vk::Target target_of(const check::Device& device) {
  return check::target_of(test::shared_context().target(), "adamw8", device);
}

struct Update {
  explicit Update(const vk::Target& target, std::span<const float> initial) : runner(target) {
    const std::vector<float> zeros(initial.size());
    const std::vector<std::uint32_t> bits = make_decay_bits(kElements, std::span(kTensors).first(1));
    weights = runner.input({kElements}, initial);
    gradients = runner.input({kElements}, zeros);
    norm = runner.input({4}, check::norm_state(1.0F));
    const plan::Tensor decay = runner.input({static_cast<std::int64_t>(bits.size())}, bits);
    optimizer_adamw8(
        runner.builder(),
        {.weights = weights, .gradients = gradients, .decay = decay, .norm = norm, .tensors = kTensors},
        kAdamW);
  }

  std::vector<std::uint32_t> codes() const {
    return runner.persistent_words("adamw8_codes", kBigBlocks * 128);
  }
  std::vector<std::uint32_t> scales() const {
    return runner.persistent_words("adamw8_scales", kBigBlocks * 2);
  }
  std::vector<std::uint32_t> small_m() const { return runner.persistent_words("adamw8_small_m", 256 * 17); }
  std::vector<std::uint32_t> small_v() const { return runner.persistent_words("adamw8_small_v", 256 * 17); }

  OpRunner runner;
  plan::Tensor weights, gradients, norm;
};

/// Gradients of the tensors; padding and gaps are zero, as in a model's arena. One block of the first big
/// tensor has no gradient, and another spans many orders of magnitude.
std::vector<float> gradients_of(std::int64_t step) {
  const std::vector<float> random = random_floats(kElements, 10 + static_cast<std::uint64_t>(step));
  std::vector<float> gradients(kElements);
  for (const Slice t : kTensors) {
    for (std::int64_t i = t.first; i < t.first + t.count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const bool is_wide = i >= 1024 && i < 1280;
      if (i < 512 || i >= 768)
        gradients[at] = random[at] * (is_wide ? std::exp2(-0.1F * float(i - 1024)) : 1.0F);
    }
  }
  return gradients;
}

/// The state of a big tensor from block `first_block` on beside the reference's.
void expect_codes(const Update& update, std::size_t first_block, const check::QuantizedMoment& expected,
                  bool is_second) {
  const std::vector<std::uint32_t> words = update.codes(), scales = update.scales();
  std::size_t different = 0;
  for (std::size_t i = 0; i < expected.codes.size(); ++i) {
    const std::size_t block = first_block + i / 256;
    const std::uint32_t word = words[block * 128 + (is_second ? 64 : 0) + i % 256 / 4];
    const int code = static_cast<int>(word >> (i % 4 * 8) & 255U);
    const int distance = std::abs(code - int{expected.codes[i]});
    EXPECT_LE(distance, 1) << i;
    different += distance != 0 ? 1 : 0;
    const auto scale = static_cast<double>(std::bit_cast<float>(scales[2 * block + (is_second ? 1 : 0)]));
    EXPECT_NEAR(scale, expected.scales[i / 256], 1e-5 * expected.scales[i / 256]);
  }
  EXPECT_LE(different, expected.codes.size() / 500);
}

constexpr double kLearningRate = 3e-3;
constexpr std::int64_t kSteps = 5;

float clip_scale_of(std::int64_t step) {
  return step % 2 == 0 ? 0.25F : 1.0F;
}

/// The moments that the definition has after `kSteps` steps from `initial`.
struct Expected {
  explicit Expected(std::span<const float> initial) : weights(to_double(initial)) {
    std::vector<double> small_m(kElements), small_v(kElements);
    for (const Slice t : kTensors) {
      m.emplace_back(static_cast<std::size_t>(t.count));
      v.emplace_back(static_cast<std::size_t>(t.count));
    }
    for (std::int64_t step = 1; step <= kSteps; ++step) {
      const std::vector<double> g = to_double(gradients_of(step));
      for (std::size_t t = 0; t < kTensors.size(); ++t) {
        const auto part = [&](auto& all) {
          return std::span(all).subspan(static_cast<std::size_t>(kTensors[t].first),
                                        static_cast<std::size_t>(kTensors[t].count));
        };
        const check::AdamW config{kLearningRate, kAdamW.beta1, kAdamW.beta2, kAdamW.eps,
                                  t == 0 ? kAdamW.weight_decay : 0.0};
        const double scale = double{clip_scale_of(step)};
        if (kTensors[t].count >= kAdamW8MinElements) {
          check::adamw8_step(part(weights), part(g), m[t], v[t], step, config, scale);
        } else {
          check::adamw_step(part(weights), part(g), part(small_m), part(small_v), step, config, scale);
        }
      }
    }
  }

  std::vector<double> weights;
  std::vector<check::QuantizedMoment> m, v;  // of each tensor
};

TEST(GpuOptimizerAdamW8, CodesAndScalesOfClippedStepsMatchTheReference) {
  const std::vector<float> initial = random_floats(kElements, 1, 0.1F);
  const Expected expected(initial);
  for (const check::Device& device : check::folded_devices(kSlicedBytes)) {
    SCOPED_TRACE(device.name);
    Update update(target_of(device), initial);
    for (std::int64_t step = 1; step <= kSteps; ++step) {
      update.runner.set(update.gradients, gradients_of(step));
      update.runner.set(update.norm, check::norm_state(clip_scale_of(step)));
      update.runner.run(check::step_params_at(step, kLearningRate));
    }
    expect_codes(update, 0, expected.m[0], false);
    expect_codes(update, 0, expected.v[0], true);
    expect_codes(update, 17, expected.m[3], false);
    expect_codes(update, 17, expected.v[3], true);
  }
}

TEST(GpuOptimizerAdamW8, EveryCodeIsThatOfTheNearestValue) {
  for (const bool is_second : {false, true}) {
    SCOPED_TRACE(is_second ? "v" : "m");
    // Gradients whose moments, from a state of zeros, lie on either side of midway between two values.
    const check::Vector values = check::dynamic_values(!is_second);
    std::vector<double> moments;
    for (std::size_t i = 1; i < values.size(); ++i) {
      for (const double side : {1.0 - 1e-5, 1.0 + 1e-5}) {
        if (moments.size() % 256 == 0) moments.push_back(1.0);  // the scale of a block
        moments.push_back(0.5 * (values[i - 1] + values[i]) * side);
      }
    }
    std::vector<float> gradients(kElements);
    for (std::size_t i = 0; i < moments.size(); ++i) {
      gradients[i] = static_cast<float>(is_second ? std::sqrt(moments[i]) : moments[i]);
    }
    Update update(test::shared_context().target(), std::vector<float>(kElements));
    update.runner.set(update.gradients, gradients);
    update.runner.run(check::step_params_at(1, kLearningRate));
    const check::QuantizedMoment expected = check::quantize(moments, !is_second);
    const std::vector<std::uint32_t> words = update.codes();
    for (std::size_t i = 0; i < moments.size(); ++i) {
      const std::uint32_t word = words[i / 256 * 128 + (is_second ? 64 : 0) + i % 256 / 4];
      EXPECT_EQ(word >> (i % 4 * 8) & 255U, std::uint32_t{expected.codes[i]}) << moments[i];
    }
  }
}

TEST(GpuOptimizerAdamW8, ASkippedStepKeepsEveryBitAndRunsAreEqual) {
  const std::vector<float> initial = random_floats(kElements, 1, 0.1F);
  for (const check::Device& device : check::sliced_devices(kSlicedBytes)) {
    SCOPED_TRACE(device.name);
    std::vector<std::vector<std::uint32_t>> results;
    for (int run = 0; run < 2; ++run) {
      Update update(target_of(device), initial);
      update.runner.set(update.gradients, gradients_of(1));
      update.runner.run(check::step_params_at(1, 1e-2));
      const auto state = [&] {
        return std::vector{update.runner.words(update.weights), update.codes(), update.scales(),
                           update.small_m(), update.small_v()};
      };
      const std::vector<std::vector<std::uint32_t>> before = state();
      update.runner.set(update.gradients, gradients_of(2));
      update.runner.set(update.norm, check::norm_state(1.0F, true));
      update.runner.run(check::step_params_at(2, 1e-2));
      EXPECT_EQ(state(), before);
      if (run == 0) results = before;
      EXPECT_EQ(before, results);
    }
  }
}

TEST(GpuOptimizerAdamW8, ASecondMomentNeverBecomesZeroBesideALargeOne) {
  // Without care the code of 1e-10 * scale is that of 0, and m would be divided by eps at the next step.
  const std::vector<float> initial(kElements);
  Update update(test::shared_context().target(), initial);
  std::vector<float> gradients(kElements);
  gradients[0] = 1.0F;
  gradients[1] = 1e-5F;
  update.runner.set(update.gradients, gradients);
  update.runner.run(check::step_params_at(1, 1e-2));
  update.runner.set(update.gradients, std::vector<float>(kElements));
  update.runner.run(check::step_params_at(2, 1e-2));
  EXPECT_LT(std::abs(update.runner.floats(update.weights)[1]), 0.03F);
}

TEST(OptimizerAdamW8, ValuesAreThoseOfTheReference) {
  for (const bool is_signed : {true, false}) {
    const std::array<float, 256> values = adamw8_values(is_signed);
    const check::Vector expected = check::dynamic_values(is_signed);
    ASSERT_EQ(expected.size(), 256U);
    for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(values[i], static_cast<float>(expected[i])) << i;
    EXPECT_EQ(values[is_signed ? 127 : 0], 0.0F);
    EXPECT_EQ(values[255], 1.0F);
  }
}

TEST(OptimizerAdamW8, ReferenceRoundsToTheNearestValue) {
  const check::Vector values{0.0, 0.5, -2.0, 1e-9};
  const check::Vector rounded = check::dequantize(check::quantize(values, true), true);
  EXPECT_EQ(rounded[0], 0.0);
  EXPECT_NEAR(rounded[1], 0.5, 2.0 * 0.9 / 128);
  EXPECT_NEAR(rounded[2], -2.0, 2.1 * 0.9 / 128);
  EXPECT_EQ(rounded[3], 0.0);
}

TEST(OptimizerAdamW8, StateOfBigTensorsIsAbout2BytesAParameter) {
  constexpr std::int64_t n = 1 << 20;
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("update");
  const plan::Tensor weights = builder.persistent("weights", {n}, plan::Role::kParameters);
  const plan::Tensor gradients = builder.persistent("gradients", {n}, plan::Role::kGradients);
  const plan::Tensor norm = builder.persistent("norm", {4}, plan::Role::kStatistics, DType::kU32);
  const std::vector<Slice> tensors{{0, n}}, overlapping{{0, 5000}, {4864, 10}};
  OptimizerAdamW8 args{.weights = weights,
                       .gradients = gradients,
                       .decay = decay_bits(builder, n, tensors),
                       .norm = norm,
                       .tensors = tensors};
  optimizer_adamw8(builder, args, kAdamW);
  args.tensors = overlapping;
  EXPECT_THROW(optimizer_adamw8(builder, args, kAdamW), CheckFailure);
  std::uint64_t state = 0;
  for (const plan::TensorInfo& info : std::move(builder).finish().tensors) {
    if (info.role == plan::Role::kOptimizer) state += info.bytes();
  }
  EXPECT_LE(static_cast<double>(state), 2.1 * n);
}

}  // namespace
}  // namespace vkgpt::ops
