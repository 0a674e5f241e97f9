#pragma once

#include <optional>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::cli {

/// The kernels of one product, timed.
struct TunedProduct {
  ops::MatmulKey key;
  ops::MatmulKernel usual, best;  // usual: without a measurement
  double usual_seconds = 0, best_seconds = 0;
  std::size_t candidates = 0;  // that were timed
};

/// Times the kernels that can do the product, the usual one first, each with barriers between products as in
/// a step, until `seconds` are over. Nothing where the device has no memory for it.
std::optional<TunedProduct> tune_product(vk::Context& context, const ops::MatmulKey& key, double seconds);

}  // namespace vkgpt::cli
