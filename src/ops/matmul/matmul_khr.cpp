#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "vkgpt/core/check.hpp"

#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// The fragments to take: 16x16x16 where the device has them, else the first that it names.
std::optional<vk::CooperativeMatrixShape> fragment_of(const vk::DeviceCaps& caps, DType dtype) {
  std::optional<vk::CooperativeMatrixShape> found;
  for (const vk::CooperativeMatrixShape& shape : caps.cooperative_matrices) {
    if (shape.ab_type != dtype_name(dtype) || shape.result_type != "f32") continue;
    if (!found || (shape.m == 16 && shape.n == 16 && shape.k == 16)) found = shape;
  }
  return found;
}

/// The subgroup size that matmul_khr.glsl requires of the driver.
std::uint32_t lanes_of(const vk::DeviceCaps& caps, const MatmulKernel& kernel) {
  if (kernel.lanes != 0) return static_cast<std::uint32_t>(kernel.lanes);
  const std::uint32_t wish = caps.vendor_id == vk::kVendorAmd     ? 64
                             : caps.vendor_id == vk::kVendorIntel ? 16
                                                                  : caps.subgroup_size;
  return std::clamp(wish, caps.min_subgroup_size, caps.max_subgroup_size);
}

/// Whether panels are transposed where memory is not contiguous along k: all but NVIDIA's subgroups load a
/// fragment of such a panel lane by lane.
bool transposes(const vk::DeviceCaps& caps) {
  return caps.vendor_id != vk::kVendorNvidia;
}

constexpr MatmulKernel tile(std::int64_t rows, std::int64_t columns, std::int64_t depth,
                            std::int64_t part_rows, std::int64_t part_columns, std::int64_t lanes = 0,
                            std::int64_t buffers = 0) {
  return {Backend::kKhr, rows, columns, depth, part_rows, part_columns, lanes, buffers};
}

/// Tiles for Intel's before Xe2, whose fragments have 8 columns and whose registers are half as long:
/// transposing one operand leaves less room, and transposing both none without spills.
std::span<const MatmulKernel> small_intel_tiles(Transposition transposition) {
  static constexpr std::array kTiles = {tile(64, 64, 16, 16, 16), tile(32, 64, 16, 8, 16)};
  switch (transposition) {
    case Transposition::kNT:
      return std::span(kTiles).first(1);
    case Transposition::kNN:
      return std::span(kTiles).last(1);
    case Transposition::kTN:
      return {};
  }
  VKGPT_CHECK(false, "transposition {}", static_cast<int>(transposition));
}

/// Tiles for large products first; shaders/docs/matmul.md has their registers and occupancy.
std::span<const MatmulKernel> tiles(const vk::DeviceCaps& caps, Transposition transposition,
                                    std::uint32_t fragment_columns) {
  static constexpr std::array kCpuTiles = {tile(32, 32, 8, 16, 16), tile(16, 32, 16, 8, 16, 0, 1)};
  static constexpr std::array kAmdTiles = {
      tile(128, 128, 32, 64, 64, 32, 1), tile(128, 128, 32, 32, 64, 32, 2), tile(64, 128, 32, 32, 64, 32, 1),
      tile(64, 64, 32, 32, 32, 32, 1),   tile(128, 128, 32, 64, 64, 32, 2), tile(64, 128, 32, 32, 64, 32, 2),
      tile(64, 128, 32, 32, 64, 64, 2),  tile(128, 128, 32, 64, 64, 64, 2), tile(64, 64, 32, 32, 32, 64, 2)};
  static constexpr std::array kIntelTiles = {tile(64, 64, 16, 16, 16), tile(32, 64, 16, 8, 16)};
  static constexpr std::array kTiles = {tile(128, 128, 32, 64, 64), tile(128, 256, 32, 64, 64),
                                        tile(64, 128, 32, 32, 64), tile(64, 64, 32, 32, 32)};
  if (caps.subgroup_size < 16) return kCpuTiles;
  if (caps.vendor_id == vk::kVendorAmd) return kAmdTiles;
  if (caps.vendor_id != vk::kVendorIntel) return kTiles;
  if (fragment_columns < 16) return small_intel_tiles(transposition);
  return kIntelTiles;
}

/// The resources that a kernel takes.
struct Resources {
  vk::CooperativeMatrixShape fragment;
  std::uint32_t lanes;                     // of a subgroup
  std::int64_t subgroups;                  // of a workgroup
  std::int64_t panel_bytes, result_bytes;  // of shared memory: both panels; all subgroups' results

  std::int64_t shared_bytes(std::int64_t buffers) const {
    return std::max(buffers * panel_bytes, result_bytes);
  }
};

Resources resources_of(const vk::DeviceCaps& caps, const Product& p, const MatmulKernel& kernel) {
  constexpr std::int64_t kSkew = 8;
  const vk::CooperativeMatrixShape fragment = *fragment_of(caps, operand_dtype(caps, p));
  const std::int64_t subgroups = kernel.rows / kernel.part_rows * (kernel.columns / kernel.part_columns);
  const auto panel = [&](std::int64_t extent, bool is_by_k) {
    const bool keeps_rows_of_k = is_by_k && !transposes(caps);
    return keeps_rows_of_k ? kernel.depth * (extent + kSkew) : extent * (kernel.depth + kSkew);
  };
  return {.fragment = fragment,
          .lanes = lanes_of(caps, kernel),
          .subgroups = subgroups,
          .panel_bytes = 2 * (panel(kernel.rows, p.transposition == Transposition::kTN) +
                              panel(kernel.columns, p.transposition != Transposition::kNT)),
          .result_bytes = 4 * subgroups * fragment.m * (kernel.part_columns + 4)};
}

std::int64_t buffers_of(const vk::DeviceCaps& caps, const MatmulKernel& kernel, const Resources& resources) {
  if (kernel.buffers != 0) return kernel.buffers;
  return resources.shared_bytes(2) <= caps.shared_memory_bytes ? 2 : 1;
}

bool fits(const vk::DeviceCaps& caps, const Product& p, const MatmulKernel& kernel) {
  const Resources r = resources_of(caps, p, kernel);
  const std::int64_t invocations = r.subgroups * r.lanes;
  // On Xe2 the sums of a panel's columns do not find room in registers beside parts of 8 rows.
  if (caps.vendor_id == vk::kVendorIntel && p.row_sums && kernel.part_rows < 16) return false;
  // Nor do they on AMD beside a part of 64 x 64 in 32 lanes.
  const std::int64_t lane_elements = kernel.part_rows * kernel.part_columns / r.lanes;
  if (caps.vendor_id == vk::kVendorAmd && p.row_sums && lane_elements > 64) return false;
  return kernel.part_rows % r.fragment.m == 0 && kernel.part_columns % r.fragment.n == 0 &&
         kernel.depth % r.fragment.k == 0 &&
         r.shared_bytes(std::max<std::int64_t>(kernel.buffers, 1)) <= caps.shared_memory_bytes &&
         r.lanes >= caps.min_subgroup_size && r.lanes <= caps.max_subgroup_size &&
         invocations <= std::min(caps.max_workgroup_invocations, caps.max_workgroup_size[0]);
}

}  // namespace

std::vector<MatmulKernel> khr_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  const DType dtype = operand_dtype(caps, product);
  // One row of C would leave all but one of a fragment idle; fp32 stays out of 16-bit matrices.
  if (dtype_size(dtype) != 2 || e.m == 1) return {};
  const std::optional<vk::CooperativeMatrixShape> fragment = fragment_of(caps, dtype);
  if (!fragment) return {};
  std::vector<MatmulKernel> usable;
  std::ranges::copy_if(tiles(caps, product.transposition, fragment->n), std::back_inserter(usable),
                       [&](const MatmulKernel& kernel) { return fits(caps, product, kernel); });
  return with_k_splits(caps, product, e, usable);
}

void append_khr(PlanBuilder& builder, const Product& product, const Extents& extents,
                const MatmulKernel& kernel) {
  const vk::DeviceCaps& caps = builder.caps();
  const Resources resources = resources_of(caps, product, kernel);
  const bool is_wide = has_rows_of(product, 8);
  const KParts k_parts{.limit = extents.k, .splits = kernel.k_splits};
  append_parts(builder, product, extents, k_parts, [&](Dispatch& d, const Part& part) {
    d.kernel.stem += "_khr";
    d.kernel.macros.value("BM", kernel.rows)
        .value("BN", kernel.columns)
        .value("BK", kernel.depth)
        .value("SM", kernel.part_rows)
        .value("SN", kernel.part_columns)
        .value("FRAGMENT_M", resources.fragment.m)
        .value("FRAGMENT_N", resources.fragment.n)
        .value("FRAGMENT_K", resources.fragment.k)
        .value("LANES", resources.lanes)
        .value("BUFFERS", buffers_of(caps, kernel, resources))
        .value("WIDE", is_wide)
        .value("K_TAIL", part.has_k_tail(kernel.depth))
        .value("TRANSPOSES", transposes(caps))
        .value("NATIVE_ROUNDING", !caps.is_cpu());
    d.kernel.subgroup_size = resources.lanes;
    d.groups = tile_groups(part, kernel.rows, kernel.columns);
  });
}

}  // namespace vkgpt::ops
