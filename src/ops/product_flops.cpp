#include "ops/product_flops.hpp"

#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

std::int64_t max_product_flops(const vk::DeviceCaps& caps, DType dtype) {
  const bool has_matrices = !caps.is_cpu() && dtype_size(dtype) == 2 && !caps.cooperative_matrices.empty();
  return (has_matrices ? 5 : 1) * max_dispatch_flops(caps);
}

}  // namespace vkgpt::ops
