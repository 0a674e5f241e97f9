#include <algorithm>

#include "ops/matmul/matmul_backends.hpp"
#include "ops/matmul/matmul_gemv.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// Bytes of a column of B that a CPU's caches hold while every tile of C passes over them.
constexpr std::int64_t kCachedColumnBytes = 2048;

/// All that a shader variant depends on beside the product.
struct Variant {
  std::int64_t lanes;           // of a workgroup, all in one subgroup
  std::int64_t tile_rows;       // 32, 16, 8 or 1
  std::int64_t k_step;          // k of an iteration
  std::int64_t b_step;          // of them, those whose B is in registers at a time
  bool is_wide;                 // reads two neighbours as one word, of 64 bits for f32
  bool has_wide_f32;            // so are bias, partials and an f32 c, which is written in pairs, too
  bool is_by_address;           // reads A, and B where that is in pairs of f32, by address
  bool has_vectors_of_b;        // which are loads of whole vectors, no gathers
  std::uint32_t subgroup_size;  // to be required of the driver, or 0
};

Variant choose_variant(const vk::DeviceCaps& caps, const Product& p, const Extents& e) {
  constexpr std::int64_t kMaxLanes = 64;
  Variant v{};
  const RegisterBudget budget = register_budget(caps);
  v.lanes = std::min<std::int64_t>(budget.subgroup, kMaxLanes);
  v.subgroup_size = v.lanes == budget.subgroup ? budget.required_size : 0;
  // 16 rows are 64 sums in each lane, beside what is loaded of A and B.
  const bool fits_16_rows = budget.registers > 128;
  v.tile_rows = (e.m <= 8 || !fits_16_rows) && v.lanes <= 32 ? 8 : 16;
  v.k_step = 8;
  if (caps.is_cpu() && v.lanes >= 16) {
    // There loads of B, two gathers each, cost most: more rows share them, or one iteration makes more of
    // them.
    if (e.m > 16) {
      v.tile_rows = 32;
    } else {
      v.k_step = 16;
    }
  }
  if (e.m == 1 && p.transposition != Transposition::kTN) {
    v.tile_rows = 1;
    v.k_step = 2 * v.lanes;  // a pair of A for every lane
  }
  v.b_step = caps.is_cpu() ? v.k_step : 8;
  const bool has_pairs_of_f32 = caps.is_cpu() && caps.shader_int64 && caps.storage_buffer_alignment % 8 == 0;
  const bool has_pairs_of_16bit = caps.storage_buffer_alignment % 4 == 0;
  v.is_wide = has_rows_of(p, 2) && (dtype_size(p.a.dtype) == 2 ? has_pairs_of_16bit : has_pairs_of_f32);
  v.has_wide_f32 = v.is_wide && has_pairs_of_f32;
  v.is_by_address = caps.buffer_device_address && p.a.dtype == DType::kF32 && v.tile_rows > 1;
  v.has_vectors_of_b = v.is_by_address && !p.b.blocks && (v.lanes == 4 || v.lanes == 8 || v.lanes == 16);
  return v;
}

}  // namespace

std::vector<MatmulKernel> scalar_kernels(const vk::DeviceCaps&, const Product&, const Extents&) {
  return {{.backend = Backend::kScalar}};
}

void append_scalar(PlanBuilder& builder, const Product& product, const Extents& extents,
                   const MatmulKernel&) {
  const vk::DeviceCaps& caps = builder.caps();
  if (prefers_gemv(caps, product, extents)) return append_gemv(builder, product, extents);
  const Variant variant = choose_variant(caps, product, extents);
  const std::int64_t cached_k = kCachedColumnBytes * product.b.shape.back() / product.b.row_bytes();
  const KParts k_parts{.limit = caps.is_cpu() ? cached_k : extents.k};
  append_parts(builder, product, extents, k_parts, [&](Dispatch& d, const Part& part) {
    d.kernel.macros.value("LANES", variant.lanes)
        .value("TM", variant.tile_rows)
        .value("K_STEP", variant.k_step)
        .value("B_STEP", variant.b_step)
        .value("WIDE", variant.is_wide)
        .value("WIDE_F32", variant.has_wide_f32)
        .value("HOLDS", caps.is_cpu())
        .value("K_TAIL", part.k.count % variant.k_step != 0);
    d.kernel.subgroup_size = variant.subgroup_size;
    if (variant.is_by_address && part.k.count % variant.k_step == 0) {
      d.kernel.macros.flag("BY_ADDRESS").value("M_TAIL", part.m.count % variant.tile_rows != 0);
      if (variant.has_vectors_of_b && part.n.count % (4 * variant.lanes) == 0)
        d.kernel.macros.flag("B_VECTORS");
      d.addresses = {0, 1};
    }
    d.groups = tile_groups(part, variant.tile_rows, 4 * variant.lanes);
  });
}

}  // namespace vkgpt::ops
