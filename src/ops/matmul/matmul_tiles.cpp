#include <algorithm>
#include <functional>

#include "ops/grid.hpp"
#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {
namespace {

std::uint32_t tiles_along(std::int64_t extent, std::uint32_t tile) {
  return static_cast<std::uint32_t>(ceil_div(static_cast<std::uint64_t>(extent), tile));
}

std::uint64_t groups_of(const MatmulKernel& kernel, const Extents& e) {
  return std::uint64_t{kernel.k_splits} * tiles_along(e.m, kernel.rows) * tiles_along(e.n, kernel.columns);
}

}  // namespace

std::vector<MatmulKernel> with_k_splits(const vk::DeviceCaps& caps, const Product& product, const Extents& e,
                                        const std::vector<MatmulKernel>& tiles) {
  // A core has registers for the sums of one or two groups: each counts as 256 invocations.
  constexpr std::uint64_t kGroupInvocations = 256;
  const std::uint64_t enough = invocations_to_fill(caps) / kGroupInvocations / 2;
  std::vector<MatmulKernel> kernels;
  for (MatmulKernel kernel : tiles) {
    const std::uint32_t splits = k_splits_to_fill(caps, product, e, groups_of(kernel, e) * kGroupInvocations);
    for (const std::uint32_t k_splits : {splits, 1U}) {
      kernel.k_splits = k_splits;
      if (!std::ranges::contains(kernels, kernel)) kernels.push_back(kernel);
    }
  }
  std::ranges::stable_sort(kernels, std::greater{}, [&](const MatmulKernel& kernel) {
    return std::min(groups_of(kernel, e), enough);
  });
  return kernels;
}

std::array<std::uint32_t, 3> tile_groups(const Part& part, const MatmulKernel& kernel) {
  return {tiles_along(part.n.count, kernel.columns), tiles_along(part.m.count, kernel.rows), 1};
}

}  // namespace vkgpt::ops
