#include "vkgpt/ops/matmul/matmul.hpp"

#include <algorithm>
#include <array>

#include "vkgpt/core/check.hpp"

#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_choice.hpp"
#include "ops/matmul/matmul_gemv.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// A backend's two functions.
struct MatmulBackend {
  Backend backend;
  std::vector<MatmulKernel> (*kernels)(const vk::DeviceCaps&, const Product&, const Extents&);
  void (*append)(PlanBuilder&, const Product&, const Extents&, const MatmulKernel&);
};

constexpr std::array kMatmulBackends = {
    MatmulBackend{Backend::kScalar, scalar_kernels, append_scalar},
    MatmulBackend{Backend::kSimt, simt_kernels, append_simt},
    MatmulBackend{Backend::kKhr, khr_kernels, append_khr},
    MatmulBackend{Backend::kNv, nv_kernels, append_nv},
};

const MatmulBackend* find(Backend backend) {
  const auto found = std::ranges::find(kMatmulBackends, backend, &MatmulBackend::backend);
  return found == kMatmulBackends.end() ? nullptr : &*found;
}

MatmulKernel choose(const vk::DeviceCaps& caps, const std::string& key,
                    const std::vector<MatmulKernel>& candidates) {
  VKGPT_CHECK(!candidates.empty(), "no kernel for {}", key);
  const auto measured = caps.kernels.measured.find(key);
  if (measured == caps.kernels.measured.end()) return candidates[0];
  const std::optional<MatmulKernel> kernel = parse_matmul_kernel(measured->second);
  const bool is_usable = kernel && std::ranges::contains(candidates, *kernel) &&
                         (!caps.kernels.matmul || kernel->backend == candidates[0].backend);
  return is_usable ? *kernel : candidates[0];
}

void append(PlanBuilder& builder, const Product& product) {
  const vk::DeviceCaps& caps = builder.caps();
  const Extents extents = checked_extents(caps, product);
  const std::string key = matmul_key(product, extents);
  note_product(key);
  append_product(builder, product, extents, choose(caps, key, matmul_kernels(caps, product, extents)));
}

}  // namespace

std::vector<MatmulKernel> matmul_kernels(const vk::DeviceCaps& caps, const Product& product,
                                         const Extents& extents) {
  // Tiles of the others would be mostly empty.
  if (prefers_gemv(caps, product, extents) && !caps.kernels.matmul) {
    return scalar_kernels(caps, product, extents);
  }
  std::vector<Backend> order = backend_order(caps, "matmul", product.a.dtype);
  for (const Backend backend : usable_backends(caps, "matmul", product.a.dtype)) {
    const bool is_allowed = caps.kernels.allows("matmul", backend);
    if (is_allowed && !std::ranges::contains(order, backend)) order.push_back(backend);
  }
  std::vector<MatmulKernel> kernels;
  for (const Backend backend : order) {
    const MatmulBackend* of = find(backend);
    if (of != nullptr) std::ranges::copy(of->kernels(caps, product, extents), std::back_inserter(kernels));
  }
  return kernels;
}

std::string matmul_key(const Product& p, const Extents& e) {
  constexpr std::array kNames = {"nn", "nt", "tn"};
  std::string key = std::format("{} {} {}x{}x{}", kNames[static_cast<std::size_t>(p.transposition)],
                                dtype_name(p.a.dtype), e.m, e.n, e.k);
  if (p.bias) key += " bias";
  if (p.epilogue == Epilogue::kGelu) key += " gelu";
  if (p.epilogue == Epilogue::kGeluGrad) key += " gelu_grad";
  if (p.accumulate) key += " accumulate";
  if (p.row_sums) key += " row_sums";
  return key;
}

void append_product(PlanBuilder& builder, const Product& product, const Extents& extents,
                    const MatmulKernel& kernel) {
  find(kernel.backend)->append(builder, product, extents, kernel);
}

bool has_matmul_kernels(Backend backend) {
  return find(backend) != nullptr;
}

void linear_forward(PlanBuilder& builder, const LinearForward& args) {
  append(builder, {.stem = "linear_forward",
                   .transposition = Transposition::kNT,
                   .a = args.x,
                   .b = args.weight,
                   .c = args.y,
                   .accumulate = args.accumulate,
                   .bias = args.bias});
}

void linear_gelu_forward(PlanBuilder& builder, const LinearGeluForward& args) {
  append(builder, {.stem = "linear_forward",
                   .transposition = Transposition::kNT,
                   .a = args.x,
                   .b = args.weight,
                   .c = args.y,
                   .bias = args.bias,
                   .epilogue = Epilogue::kGelu,
                   .pre = args.pre});
}

void linear_backward_input(PlanBuilder& builder, const LinearBackwardInput& args) {
  append(builder, {.stem = "linear_backward_input",
                   .transposition = Transposition::kNN,
                   .a = args.dy,
                   .b = args.weight,
                   .c = args.dx,
                   .accumulate = args.accumulate,
                   .epilogue = args.pre_gelu ? Epilogue::kGeluGrad : Epilogue::kNone,
                   .pre = args.pre_gelu});
}

void linear_backward_weight(PlanBuilder& builder, const LinearBackwardWeight& args) {
  append(builder, {.stem = "linear_backward_weight",
                   .transposition = Transposition::kTN,
                   .a = args.dy,
                   .b = args.x,
                   .c = args.dweight,
                   .accumulate = true,
                   .row_sums = args.dbias});
}

}  // namespace vkgpt::ops
