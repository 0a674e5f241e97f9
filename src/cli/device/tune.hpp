#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::cli {

/// A kernel that gave another result than the reference.
struct WrongKernel {
  ops::MatmulKernel kernel;
  double error = 0, bound = 0;  // NMSE
};

/// The kernels of one product, timed.
struct TunedProduct {
  ops::MatmulKey key;
  ops::MatmulKernel usual, best;  // usual: without a measurement
  double usual_seconds = 0, best_seconds = 0;
  std::size_t candidates = 0;  // that were timed
  std::vector<WrongKernel> wrong = {};
};

/// Times the kernels that can do the product by the device's clock, the usual one first, each with barriers
/// between products as in a step, until `seconds` are over. Operands are random, and what a kernel gives is
/// compared with the scalar one: who is wrong is not chosen. `perturb` may change a candidate's result first
/// (tests). Nothing where the device has no memory for it, or no kernel is right.
std::optional<TunedProduct> tune_product(
    vk::Context& context, const ops::MatmulKey& key, double seconds,
    const std::function<void(const ops::MatmulKernel&, std::span<float>)>& perturb = {});

/// Switches the backends of the product's wrong kernels off in `record`; the scalar ones, which they were
/// compared with, never.
void record_wrong(vk::KernelRecord& record, const TunedProduct& product, std::string_view date);

}  // namespace vkgpt::cli
