#include "ops/work_slices.hpp"

#include <algorithm>

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kLeastElements = 1 << 18;  // no device takes long for them

}  // namespace

std::vector<Slice> work_slices(const plan::PlanBuilder& builder, std::initializer_list<plan::Tensor> tensors,
                               std::int64_t granule) {
  const double share = std::min(1.0, builder.caps().dispatch_share);
  const auto elements = static_cast<std::int64_t>(
      share * static_cast<double>(max_binding_bytes(builder.caps())) / sizeof(float));
  const std::int64_t step = std::max(elements / kLeastElements, std::int64_t{1}) * kLeastElements;
  std::vector<Slice> slices;
  for (const Slice whole : element_slices(builder, tensors, granule)) {
    const std::int64_t part = share < 1 ? step : whole.count;
    for (std::int64_t done = 0; done < whole.count; done += part) {
      slices.push_back({whole.first + done, std::min(part, whole.count - done)});
    }
  }
  return slices;
}

}  // namespace vkgpt::ops
