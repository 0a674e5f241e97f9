#include "ops/matmul/matmul_gemv.hpp"

#include <algorithm>

#include "ops/grid.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

constexpr std::int64_t kMostRows = 8;
constexpr std::int64_t kInvocations = 128;  // of a workgroup, or 4 subgroups

/// All that a shader variant depends on beside the product.
struct GemvVariant {
  std::int64_t width;  // elements of a word
  std::int64_t rows;   // of W, at a time
  std::int64_t depth;  // words under way
};

/// Rows of x at a time.
std::int64_t row_block(const vk::DeviceCaps& caps, std::int64_t m) {
  return std::min({m, kMostRows, std::int64_t{caps.min_subgroup_size}});
}

GemvVariant choose_variant(const vk::DeviceCaps& caps, const Product& p, const Extents& e,
                           std::int64_t subgroup) {
  constexpr std::int64_t kWordBytes = 16, kMostWords = 12;  // 48 registers
  GemvVariant v{};
  const std::int64_t m = row_block(caps, e.m);
  const std::int64_t elements = kWordBytes / dtype_size(p.a.dtype);
  v.width = e.k % elements == 0 ? elements : 1;
  const std::int64_t filling = e.n * subgroup / invocations_to_fill(caps);
  v.rows = filling >= 4 ? 4 : filling >= 2 ? 2 : 1;
  while (v.rows > 1 && v.rows * m > subgroup) v.rows /= 2;
  // Rounds of as many words as there are leave none for the end of the row.
  const std::int64_t words = e.k / v.width / subgroup;
  const std::int64_t most =
      std::clamp<std::int64_t>(kMostWords / (v.rows + m), 1, std::max<std::int64_t>(words, 1));
  v.depth = most;
  while (v.depth > 1 && words % v.depth != 0) --v.depth;
  if (2 * v.depth < most) v.depth = most;
  return v;
}

}  // namespace

bool prefers_gemv(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  // CPU drivers gather neighbouring words as slowly as others: tiles of one row are faster there.
  return !caps.is_cpu() && product.transposition == Transposition::kNT &&
         (product.by_rows != ByRows::kNo || e.m == row_block(caps, e.m));
}

void append_gemv(PlanBuilder& builder, const Product& product, const Extents& extents) {
  const vk::DeviceCaps& caps = builder.caps();
  const RegisterBudget budget = register_budget(caps);
  const GemvVariant v = choose_variant(caps, product, extents, budget.subgroup);
  const std::int64_t wanted = std::max<std::int64_t>(kInvocations / budget.subgroup, 4);
  const std::int64_t most = caps.max_workgroup_invocations / budget.subgroup;
  const std::int64_t subgroups = std::clamp<std::int64_t>(most, 1, wanted);
  append_parts(builder, product, extents, {.limit = extents.k}, [&](Dispatch& d, const Part& part) {
    d.kernel.stem += "_gemv";
    const std::int64_t block = row_block(caps, part.m.count);
    d.kernel.macros.value("TM", block).value("ROWS", v.rows).value("DEPTH", v.depth).value("WIDTH", v.width);
    d.kernel.spec_constants.push_back(static_cast<std::uint32_t>(subgroups * budget.subgroup));
    d.kernel.subgroup_size = budget.required_size;
    d.groups =
        fold_grid(caps, ceil_div(ceil_div(part.n.count, v.rows) * ceil_div(part.m.count, block), subgroups));
  });
}

}  // namespace vkgpt::ops
