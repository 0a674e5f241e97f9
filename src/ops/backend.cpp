#include "vkgpt/ops/backend.hpp"

#include <algorithm>
#include <optional>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::uint32_t kIntel = 0x8086;

/// The order of a device for which nothing was said. Intel's drivers fill a matrix lane by lane, and emulate
/// the matrices of Xe-LP (tools/bench/trials/README.md): matrices come after SIMT there.
std::vector<Backend> device_order(const vk::DeviceCaps& caps) {
  if (caps.is_cpu()) return {};
  if (caps.vendor_id == kIntel) return {Backend::kSimt, Backend::kNv, Backend::kKhr};
  return {Backend::kNv, Backend::kKhr, Backend::kSimt};
}

}  // namespace

bool has_backend(const vk::DeviceCaps& caps, Backend backend, DType dtype) {
  const auto has_matrices = [&] {
    return std::ranges::any_of(caps.cooperative_matrices, [&](const vk::CooperativeMatrixShape& shape) {
      return shape.ab_type == dtype_name(dtype) && shape.result_type == "f32";
    });
  };
  if (dtype_size(dtype) == 2 && !caps.storage_16bit) return false;
  switch (backend) {
    case Backend::kScalar:
    case Backend::kSimt:
      return true;
    case Backend::kKhr:
      return has_matrices();
    case Backend::kNv:
      return caps.cooperative_matrix_nv2 && has_matrices();
  }
  VKGPT_CHECK(false, "backend {}", static_cast<int>(backend));
}

std::vector<Backend> backend_order(const vk::DeviceCaps& caps, std::string_view op, DType dtype) {
  const std::optional<Backend> forced = op == "matmul" ? caps.kernels.matmul : caps.kernels.attention;
  std::vector<Backend> order;
  const auto add = [&](Backend backend) {
    if (!std::ranges::contains(order, backend) && has_backend(caps, backend, dtype)) order.push_back(backend);
  };
  if (forced) add(*forced);
  for (const Backend backend : device_order(caps)) {
    if (caps.kernels.allows(op, backend)) add(backend);
  }
  add(Backend::kScalar);
  return order;
}

}  // namespace vkgpt::ops
