#include "vkgpt/ops/backend.hpp"

#include <algorithm>
#include <optional>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/glsl_support.hpp"
#include "vkgpt/vk/kernel_record.hpp"
#include "vkgpt/vk/subgroup_size.hpp"

namespace vkgpt::ops {
namespace {

/// Every kernel on VK_NV_cooperative_matrix2 needs these.
bool has_flexible_matrices(const vk::DeviceCaps& caps) {
  const std::optional<vk::CooperativeMatrix2>& matrix = caps.cooperative_matrix2;
  return matrix && matrix->flexible_dimensions && matrix->conversions && matrix->per_element_operations;
}

/// The order where neither the user nor the tuner chose. Before Xe2, whose least subgroup has 16 lanes,
/// Intel's drivers fill a matrix lane by lane, and emulate the matrices of Xe-LP
/// (tools/bench/trials/README.md): matrices come after SIMT there, and in attention on Xe2 too, whose
/// registers its kernels exceed. Workgroup-scope matrices, which only NVIDIA has, are the driver's own way to
/// feed its matrix units: first as soon as a self-test found them right on this device and driver, before
/// that second, since they are the youngest part of that driver. At subgroup scope, as in Mesa, matrices of
/// VK_NV_cooperative_matrix2 are made of the same fragments as those of VK_KHR_cooperative_matrix, only with
/// less control.
std::vector<Backend> device_order(const vk::Target& target, std::string_view op) {
  const vk::DeviceCaps& caps = target.caps;
  if (caps.is_cpu()) return {};
  if (caps.vendor_id == vk::kVendorIntel && (caps.min_subgroup_size < 16 || op == "attention"))
    return {Backend::kSimt, Backend::kKhr};
  if (!has_workgroup_matrices(caps)) return {Backend::kKhr, Backend::kSimt};
  if (target.kernels.measured.contains(std::string(vk::kTestedKey)))
    return {Backend::kNv, Backend::kKhr, Backend::kSimt};
  return {Backend::kKhr, Backend::kNv, Backend::kSimt};
}

}  // namespace

bool has_workgroup_matrices(const vk::DeviceCaps& caps) {
  return has_flexible_matrices(caps) && caps.cooperative_matrix2->workgroup_scope &&
         caps.cooperative_matrix2->tensor_addressing;
}

bool has_backend(const vk::DeviceCaps& caps, Backend backend, DType dtype) {
  const auto is_ours = [&](const auto& shape) {
    return shape.ab_type == dtype_name(dtype) && shape.result_type == "f32";
  };
  if (dtype_size(dtype) == 2 && !caps.storage_16bit) return false;
  // Matrices are declared with the type of their elements.
  const bool has_type = dtype == DType::kF16    ? caps.shader_f16
                        : dtype == DType::kBF16 ? caps.shader_bf16 && vk::compiles_bfloat16()
                                                : true;
  switch (backend) {
    case Backend::kScalar:
    case Backend::kSimt:
      return true;
    case Backend::kKhr:
      return has_type && vk::knows_subgroup_size(caps) &&
             std::ranges::any_of(caps.cooperative_matrices, is_ours);
    case Backend::kNv:
      return has_type && has_flexible_matrices(caps) && vk::knows_subgroup_size(caps) &&
             std::ranges::any_of(caps.cooperative_matrix2->shapes, [&](const vk::FlexibleMatrixShape& shape) {
               return is_ours(shape) && (shape.invocations == 0 || has_workgroup_matrices(caps));
             });
  }
  VKGPT_CHECK(false, "backend {}", static_cast<int>(backend));
}

std::vector<Backend> usable_backends(const vk::DeviceCaps& caps, DType dtype) {
  std::vector<Backend> usable;
  for (const Backend backend : vk::kBackends) {
    if (has_backend(caps, backend, dtype)) usable.push_back(backend);
  }
  return usable;
}

std::vector<Backend> backend_order(const vk::Target& target, std::string_view op, DType dtype) {
  std::vector<Backend> order;
  const auto add = [&](Backend backend) {
    if (!std::ranges::contains(order, backend) && has_backend(target.caps, backend, dtype))
      order.push_back(backend);
  };
  if (const std::optional<Backend> forced = target.kernels.forced(op)) add(*forced);
  for (const Backend backend : device_order(target, op)) {
    if (target.kernels.allows(op, backend)) add(backend);
  }
  add(Backend::kScalar);
  return order;
}

}  // namespace vkgpt::ops
