#include "ops/matmul/matmul_parts.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"

#include "ops/grid.hpp"
#include "ops/product_flops.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

constexpr std::int64_t kLeastSplit = 256;  // k of a part; below, writing and adding its sums costs as much
constexpr std::int64_t kLongSplit = 2048;  // of one that only makes the last round fuller
constexpr std::int64_t kMostSplits = 32;

/// Sums of each part of K. Rows are padded so that every part's begin at a multiple of 256 bytes.
struct SplitSums {
  std::int64_t padded_rows;
  Tensor c;                        // (splits, padded M, N) f32
  std::optional<Tensor> row_sums;  // (splits, padded M) f32
};

std::int64_t padded_rows(const Extents& e) {
  constexpr std::int64_t kGranule = slice_granule(false);
  return ceil_div(e.m, kGranule) * kGranule;
}

std::int64_t parts_of_k(const Slicing& slicing) {
  return std::ranges::find_if(slicing.parts, &Part::is_last_k) - slicing.parts.begin() + 1;
}

/// Of dx, in its own type.
void append_input_reduction(PlanBuilder& builder, const Product& p, const Extents& e, const SplitSums& sums,
                            std::int64_t splits) {
  Dispatch d = elementwise(builder.caps(), "linear_backward_input_reduce", e.m * e.n,
                           Macros{}.dtype("DTYPE", p.c.dtype).flag("ACCUMULATE", p.accumulate));
  d.bindings = {read(sums.c), p.accumulate ? read_write(p.c) : write(p.c)};
  d.push = PushWords{}.u32(e.m * e.n, splits, sums.padded_rows * e.n);
  const std::int64_t c_bytes = dtype_size(p.c.dtype) * (p.accumulate ? 2 : 1);
  d.cost = {.flops = splits * e.m * e.n, .bytes = (4 * splits + c_bytes) * e.m * e.n};
  builder.dispatch(std::move(d));
}

void append_reduction(PlanBuilder& builder, const Product& p, const Extents& e, const SplitSums& sums,
                      std::int64_t splits) {
  if (p.transposition == Transposition::kNN) return append_input_reduction(builder, p, e, sums, splits);
  const vk::DeviceCaps& caps = builder.caps();
  const std::int64_t width = e.n % 4 == 0 ? 4 : 1;
  const std::int64_t count = e.m * e.n / width;
  Dispatch d = elementwise(
      caps, "linear_backward_weight_reduce", count,
      Macros{}.value("WIDTH", width).value("ROW_SUMS", p.row_sums.has_value()).value("ADDS", p.accumulate),
      1);
  const auto bind = [&](const Tensor& t) { return p.accumulate ? read_write(t) : write(t); };
  d.bindings = {read(sums.c), bind(p.c)};
  if (p.row_sums) {
    d.bindings.push_back(read(*sums.row_sums));
    d.bindings.push_back(bind(*p.row_sums));
  }
  d.push = PushWords{}.u32(count, splits, sums.padded_rows * e.n / width, e.m, sums.padded_rows);
  d.cost = {.flops = splits * e.m * e.n, .bytes = 4 * (splits + (p.accumulate ? 2 : 1)) * e.m * e.n};
  builder.dispatch(std::move(d));
}

/// Whether one dispatch may compute all parts of K: it binds both operands whole.
bool fit_one_dispatch(const vk::DeviceCaps& caps, const Product& p, const Extents& e, std::int64_t splits,
                      const Slicing& slicing) {
  const std::int64_t bytes = e.k * std::max(e.m, e.n) * dtype_size(p.a.dtype);
  return std::ssize(slicing.parts) == splits && bytes <= max_binding_bytes(caps) &&
         2 * e.m * e.n * e.k <= max_product_flops(caps, p.a.dtype) && splits <= caps.max_workgroup_count[2];
}

/// All parts of K in one dispatch, one for each z of its grid.
void append_side_by_side(PlanBuilder& builder, const Product& p, const Extents& e, const SplitSums& sums,
                         std::int64_t splits, Part part, const CompletePart& complete) {
  part.all_k = {0, e.k};
  part.is_last_k = true;
  Product whole = p;
  whole.row_sums = sums.row_sums;
  const PartWork work{.c = sums.c,
                      .row_sums = p.row_sums ? PartWork::RowSums::kStore : PartWork::RowSums::kNone};
  Dispatch d = part_dispatch(whole, {}, part, work);
  d.bindings[2] = write(sums.c);
  if (sums.row_sums) d.bindings[3] = write(*sums.row_sums);
  d.kernel.macros.flag("SPLITS");
  d.push.push_back(static_cast<std::uint32_t>(e.k));
  d.push.push_back(static_cast<std::uint32_t>(sums.padded_rows));
  d.cost.bytes += (splits - 1) * e.m * e.n * dtype_size(DType::kF32);
  d.work = to_string(key_of(p));
  complete(d, part);
  d.groups[2] = static_cast<std::uint32_t>(splits);
  builder.dispatch(std::move(d));
}

void append_splits(PlanBuilder& builder, const Product& p, const Extents& e, const Slicing& slicing,
                   const CompletePart& complete) {
  const std::int64_t splits = parts_of_k(slicing);
  const std::int64_t rows = padded_rows(e);
  SplitSums sums{rows, builder.transient("matmul_splits", {splits, rows, e.n}), {}};
  if (p.row_sums) sums.row_sums = builder.transient("matmul_row_sums", {splits, rows});
  if (fit_one_dispatch(builder.caps(), p, e, splits, slicing)) {
    append_side_by_side(builder, p, e, sums, splits, slicing.parts[0], complete);
    return append_reduction(builder, p, e, sums, splits);
  }
  std::int64_t split = 0;
  for (const Part& part : slicing.parts) {
    split = part.is_first_k ? 0 : split + 1;
    Product apart = p;
    apart.c = builder.view(sums.c, split * rows * e.n, {e.m, e.n});
    if (p.row_sums) apart.row_sums = builder.view(*sums.row_sums, split * rows, {e.m});
    const PartWork work{.c = apart.c,
                        .row_sums = p.row_sums ? PartWork::RowSums::kStore : PartWork::RowSums::kNone};
    Dispatch d = part_dispatch(apart, {}, part, work);
    d.work = to_string(key_of(p));
    complete(d, part);
    builder.dispatch(std::move(d));
  }
  append_reduction(builder, p, e, sums, splits);
}

}  // namespace

void append_parts(PlanBuilder& builder, const Product& product, const Extents& extents, KParts k,
                  const CompletePart& complete) {
  if (k.splits > 1) {
    VKGPT_CHECK(can_split_k(builder.caps(), product, extents, k.splits), "{} in {} parts of K", product.stem,
                k.splits);
    const std::int64_t granule = slice_granule(dtype_size(product.a.dtype) == 2);
    k.limit = std::min(k.limit, ceil_div(extents.k, granule * k.splits) * granule);
  }
  const Slicing slicing = slice(builder.caps(), product, extents, k.limit);
  if (k.splits > 1) return append_splits(builder, product, extents, slicing, complete);
  std::optional<Tensor> partials;
  if (slicing.has_partials) partials = builder.transient("matmul_partials", {extents.m, extents.n});
  for (const Part& part : slicing.parts) {
    Dispatch d = part_dispatch(product, partials, part, work_of(product, partials, part));
    if (product.by_rows == ByRows::kNo) d.work = to_string(key_of(product));
    complete(d, part);
    builder.dispatch(std::move(d));
  }
}

bool can_split_k(const vk::DeviceCaps& caps, const Product& p, const Extents& e, std::int64_t splits) {
  constexpr std::int64_t kMostBytes = 1 << 27;
  const bool is_weight = p.transposition == Transposition::kTN && p.c.dtype == DType::kF32;
  const bool is_input = p.transposition == Transposition::kNN && p.by_rows == ByRows::kNo && !p.b.blocks;
  const bool only_adds = (is_weight || is_input) && !p.bias && p.epilogue == Epilogue::kNone;
  const std::int64_t bytes = padded_rows(e) * e.n * dtype_size(DType::kF32);
  const std::int64_t most = std::min(kMostBytes, max_binding_bytes(caps));
  return splits == 1 || (only_adds && bytes <= most / splits && e.k >= kLeastSplit * splits);
}

std::int64_t k_splits_to_fill(const vk::DeviceCaps& caps, const Product& p, const Extents& e,
                              std::int64_t invocations) {
  if (caps.is_cpu()) return 1;
  // Wave quantization: the last of the rounds in which the device works on a product is seldom full.
  const std::int64_t full = invocations_to_fill(caps);
  const auto busy = [&](std::int64_t splits) {
    const std::int64_t all = invocations * splits;
    return static_cast<double>(all) / static_cast<double>(ceil_div(all, full) * full);
  };
  std::int64_t best = 1;
  for (std::int64_t splits = 2; splits <= kMostSplits && busy(best) < 0.9; ++splits) {
    const bool has_rounds = invocations * splits > full;
    if (!can_split_k(caps, p, e, splits) || (has_rounds && e.k < kLongSplit * splits)) break;
    if (busy(splits) > 1.05 * busy(best)) best = splits;
  }
  return best;
}

std::array<std::uint32_t, 3> tile_groups(const Part& part, std::int64_t rows, std::int64_t columns) {
  return {static_cast<std::uint32_t>(ceil_div(part.n.count, columns)),
          static_cast<std::uint32_t>(ceil_div(part.m.count, rows)), 1};
}

}  // namespace vkgpt::ops
