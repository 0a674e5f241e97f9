// Products whose rows have the same bits however many there are.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

struct Device {
  const char* name;
  bool is_gpu;
  ByRows by_rows;
};

class GpuMatmulByRows : public testing::TestWithParam<std::tuple<Device, DType>> {};

/// y of rows [first, first + count) of x.
std::vector<float> product(const Device& device, DType dtype, std::int64_t first, std::int64_t count,
                           std::int64_t K, bool has_gelu) {
  constexpr std::int64_t kRows = 40, N = 70;
  vk::Target target = test::shared_context().target();
  if (device.is_gpu) target.caps.type = vk::DeviceType::kDiscrete;
  test::OpRunner runner(target);
  const std::vector<float> all = check::random_floats(static_cast<std::size_t>(kRows * K), 1);
  const plan::Tensor x = runner.input(
      {count, K},
      std::span(all).subspan(static_cast<std::size_t>(first * K), static_cast<std::size_t>(count * K)),
      dtype);
  const plan::Tensor weight =
      runner.input({N, K}, check::random_floats(static_cast<std::size_t>(N * K), 2), dtype);
  const plan::Tensor bias = runner.input({N}, check::random_floats(N, 3));
  if (has_gelu) {
    const plan::Tensor y = runner.output({count, N}, dtype);
    linear_gelu_forward(runner.builder(), {.x = x,
                                           .weight = weight,
                                           .bias = bias,
                                           .pre = runner.output({count, N}, dtype),
                                           .y = y,
                                           .by_rows = device.by_rows});
    runner.run();
    return runner.floats(y);
  }
  // Tiles write their operands' type.
  const plan::Tensor y = runner.output({count, N}, device.by_rows == ByRows::kFew ? DType::kF32 : dtype);
  linear_forward(runner.builder(),
                 {.x = x, .weight = weight, .bias = bias, .y = y, .by_rows = device.by_rows});
  runner.run();
  return runner.floats(y);
}

TEST_P(GpuMatmulByRows, HaveTheSameBitsInAnyNumber) {
  const auto& [device, dtype] = GetParam();
  if (!test::stores(dtype)) GTEST_SKIP() << "no 16-bit storage";
  for (const bool has_gelu : {false, true}) {
    for (const std::int64_t K : {96, 270, 37}) {
      const std::vector<float> all = product(device, dtype, 0, 40, K, has_gelu);
      const auto N = static_cast<std::int64_t>(all.size()) / 40;
      for (const auto& [first, count] : {std::pair{0, 1}, {7, 1}, {3, 2}, {5, 4}, {1, 8}, {2, 9}, {20, 16}}) {
        const std::vector<float> some = product(device, dtype, first, count, K, has_gelu);
        EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin() + first * N))
            << "rows " << first << "+" << count << " of K " << K << (has_gelu ? " gelu" : "");
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, GpuMatmulByRows,
                         testing::Combine(testing::Values(Device{"as_it_is", false, ByRows::kFew},
                                                          Device{"as_a_gpu", true, ByRows::kFew},
                                                          Device{"many_as_a_gpu", true, ByRows::kMany}),
                                          testing::Values(DType::kF32, DType::kF16)),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param).name) + "_" +
                                  std::string(dtype_name(std::get<1>(each.param)));
                         });

}  // namespace
}  // namespace vkgpt::ops
