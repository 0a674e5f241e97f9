#include "ops/work_slices.hpp"

#include <algorithm>
#include <iterator>

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kLeastElements = 1 << 18;  // no device takes long for them

/// Elements of f32 that a dispatch of less work than a binding may hold.
std::int64_t elements_of_share(const vk::DeviceCaps& caps) {
  const double share = std::min(1.0, caps.dispatch_share);
  const auto elements =
      static_cast<std::int64_t>(share * static_cast<double>(max_binding_bytes(caps)) / sizeof(float));
  return std::max(elements / kLeastElements, std::int64_t{1}) * kLeastElements;
}

/// `whole` in parts of `step`, where dispatches are to hold less work.
void append_parts(std::vector<Slice>& slices, const vk::DeviceCaps& caps, Slice whole, std::int64_t step) {
  const std::int64_t part = caps.dispatch_share < 1 ? step : whole.count;
  for (std::int64_t done = 0; done < whole.count; done += part) {
    slices.push_back({whole.first + done, std::min(part, whole.count - done)});
  }
}

}  // namespace

std::vector<Slice> work_slices(const plan::PlanBuilder& builder, std::initializer_list<plan::Tensor> tensors,
                               std::int64_t granule) {
  const std::int64_t step = elements_of_share(builder.caps());
  std::vector<Slice> slices;
  for (const Slice whole : element_slices(builder, tensors, granule)) {
    append_parts(slices, builder.caps(), whole, step);
  }
  return slices;
}

std::vector<Slice> work_rows(const vk::DeviceCaps& caps, Slice slice, std::int64_t row_bytes,
                             std::int64_t granule) {
  const auto row_elements = std::max<std::int64_t>(row_bytes / std::int64_t{sizeof(float)}, 1);
  const std::int64_t step = elements_of_share(caps) / row_elements / granule * granule;
  std::vector<Slice> slices;
  append_parts(slices, caps, slice, std::max(step, granule));
  return slices;
}

std::vector<Slice> work_rows(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t row_bytes,
                             std::int64_t granule) {
  std::vector<Slice> slices;
  for (const Slice whole : row_slices(caps, rows, row_bytes, granule)) {
    std::ranges::copy(work_rows(caps, whole, row_bytes, granule), std::back_inserter(slices));
  }
  return slices;
}

}  // namespace vkgpt::ops
