#include "ops/matmul/matmul_choice.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/backend.hpp"

#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_gemv.hpp"

namespace vkgpt::ops {
namespace {

/// A backend's two functions.
struct MatmulBackend {
  Backend backend;
  std::vector<MatmulKernel> (*kernels)(const vk::DeviceCaps&, const Product&, const Extents&);
  void (*append)(plan::PlanBuilder&, const Product&, const Extents&, const MatmulKernel&);
};

constexpr std::array kMatmulBackends = {
    MatmulBackend{Backend::kScalar, scalar_kernels, append_scalar},
    MatmulBackend{Backend::kSimt, simt_kernels, append_simt},
    MatmulBackend{Backend::kKhr, khr_kernels, append_khr},
    MatmulBackend{Backend::kNv, nv_kernels, append_nv},
};

const MatmulBackend& find(Backend backend) {
  const auto found = std::ranges::find(kMatmulBackends, backend, &MatmulBackend::backend);
  VKGPT_CHECK(found != kMatmulBackends.end(), "no matmul by {}", vk::backend_name(backend));
  return *found;
}

MatmulKernel choose(const vk::Target& target, const Product& product) {
  const std::vector<MatmulKernel> candidates = matmul_kernels(target, product);
  const std::string key = to_string(key_of(product));
  VKGPT_CHECK(!candidates.empty(), "no kernel for {}", key);
  const auto measured = target.kernels.measured.find(key);
  if (measured == target.kernels.measured.end()) return candidates[0];
  const std::optional<MatmulKernel> kernel = parse_matmul_kernel(measured->second);
  const bool is_usable = kernel && std::ranges::contains(candidates, *kernel) &&
                         (!target.kernels.matmul || kernel->backend == candidates[0].backend);
  return is_usable ? *kernel : candidates[0];
}

/// The kernel for any number of rows: the one that suits `kManyRows` of them. Its tile and its K loop, and
/// with them the order in which an element is added up, are the same for all.
MatmulKernel kernel_by_rows(const vk::Target& target, const Product& product) {
  constexpr std::int64_t kManyRows = 256;
  const MatmulKernel scalar{.backend = Backend::kScalar};
  if (product.by_rows == ByRows::kFew || target.caps.is_cpu()) return scalar;
  Extents extents = checked_extents(product);
  extents.m = kManyRows;
  for (const Backend backend : backend_order(target, "matmul", operand_dtype(target.caps, product))) {
    const std::vector<MatmulKernel> kernels = find(backend).kernels(target.caps, product, extents);
    if (!kernels.empty()) return kernels[0];
  }
  return scalar;
}

}  // namespace

std::vector<MatmulKernel> matmul_kernels(const vk::Target& target, const Product& product) {
  const auto& [caps, choices] = target;
  const Extents extents = checked_extents(product);
  // Tiles of the others would be mostly empty.
  if (prefers_gemv(caps, product, extents) && !choices.matmul) return scalar_kernels(caps, product, extents);
  std::vector<Backend> order = backend_order(target, "matmul", product.a.dtype);
  for (const Backend backend : usable_backends(caps, product.a.dtype)) {
    const bool is_allowed = choices.allows("matmul", backend);
    if (is_allowed && !std::ranges::contains(order, backend)) order.push_back(backend);
  }
  std::vector<MatmulKernel> kernels;
  for (const Backend backend : order) {
    std::ranges::copy(find(backend).kernels(caps, product, extents), std::back_inserter(kernels));
  }
  return kernels;
}

void append_product(plan::PlanBuilder& builder, const Product& product) {
  const vk::Target& target = builder.target();
  const bool is_any = product.by_rows == ByRows::kNo;
  append_product(builder, product, is_any ? choose(target, product) : kernel_by_rows(target, product));
}

void append_product(plan::PlanBuilder& builder, const Product& product, const MatmulKernel& kernel) {
  find(kernel.backend).append(builder, product, checked_extents(product), kernel);
}

}  // namespace vkgpt::ops
