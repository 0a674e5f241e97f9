#include <algorithm>
#include <functional>

#include "ops/grid.hpp"
#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {
namespace {

std::int64_t groups_of(const MatmulKernel& kernel, const Extents& e) {
  return kernel.k_splits * ceil_div(e.m, kernel.rows) * ceil_div(e.n, kernel.columns);
}

}  // namespace

std::vector<MatmulKernel> with_k_splits(const vk::DeviceCaps& caps, const Product& product, const Extents& e,
                                        const std::vector<MatmulKernel>& tiles) {
  // A core has registers for the sums of one or two groups: each counts as 256 invocations.
  constexpr std::int64_t kGroupInvocations = 256;
  const std::int64_t enough = invocations_to_fill(caps) / kGroupInvocations / 2;
  std::vector<MatmulKernel> kernels;
  for (MatmulKernel kernel : tiles) {
    const std::int64_t splits = k_splits_to_fill(caps, product, e, groups_of(kernel, e) * kGroupInvocations);
    for (const std::int64_t k_splits : {splits, std::int64_t{1}}) {
      kernel.k_splits = k_splits;
      if (!std::ranges::contains(kernels, kernel)) kernels.push_back(kernel);
    }
  }
  std::ranges::stable_sort(kernels, std::greater{}, [&](const MatmulKernel& kernel) {
    return std::min(groups_of(kernel, e), enough);
  });
  return kernels;
}

}  // namespace vkgpt::ops
