#include "ops/matmul/matmul_gemv.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "ops/grid.hpp"
#include "ops/matmul/matmul_parts.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

constexpr std::int64_t kMostRows = 8;
constexpr std::uint32_t kInvocations = 128;  // of a workgroup, or 4 subgroups

/// What a shader variant depends on beside the product.
struct GemvVariant {
  std::uint32_t width;  // elements of a word
  std::uint32_t rows;   // of W, at a time
  std::uint32_t depth;  // words under way
};

GemvVariant choose_variant(const vk::DeviceCaps& caps, const Product& p, const Extents& e,
                           std::uint32_t subgroup) {
  constexpr std::uint32_t kWordBytes = 16, kMostWords = 12;  // 48 registers
  GemvVariant v{};
  const auto elements = static_cast<std::uint32_t>(kWordBytes / dtype_size(p.a.dtype));
  v.width = e.k % elements == 0 ? elements : 1;
  const auto m = static_cast<std::uint32_t>(e.m);
  const std::uint64_t filling = static_cast<std::uint64_t>(e.n) * subgroup / invocations_to_fill(caps);
  v.rows = std::bit_floor(static_cast<std::uint32_t>(std::clamp<std::uint64_t>(filling, 1, 4)));
  while (v.rows > 1 && v.rows * m > subgroup) v.rows /= 2;
  // Rounds of as many words as there are leave none for the end of the row.
  const std::uint32_t words = static_cast<std::uint32_t>(e.k) / v.width / subgroup;
  const std::uint32_t most = std::clamp(kMostWords / (v.rows + m), 1U, std::max(words, 1U));
  v.depth = most;
  while (v.depth > 1 && words % v.depth != 0) --v.depth;
  if (2 * v.depth < most) v.depth = most;
  return v;
}

}  // namespace

bool prefers_gemv(const vk::DeviceCaps& caps, const Product& product, const Extents& e) {
  // CPU drivers gather neighbouring words as slowly as others: tiles of one row are faster there.
  return !caps.is_cpu() && product.transposition == Transposition::kNT && e.m <= kMostRows &&
         e.m <= caps.min_subgroup_size;
}

void append_gemv(PlanBuilder& builder, const Product& product, const Extents& extents) {
  const vk::DeviceCaps& caps = builder.caps();
  const RegisterBudget budget = register_budget(caps);
  const GemvVariant v = choose_variant(caps, product, extents, budget.subgroup);
  Product gemv = product;
  gemv.stem += "_gemv";
  append_parts(builder, gemv, extents, {.limit = extents.k}, [&](Dispatch& d, const Part& part) {
    const auto add = [&](const char* name, std::uint64_t value) { d.kernel.macros.value(name, value); };
    add("TM", static_cast<std::uint64_t>(part.m.count));
    add("ROWS", v.rows);
    add("DEPTH", v.depth);
    add("WIDTH", v.width);
    const std::uint32_t wanted = std::max(kInvocations / budget.subgroup, 4U);
    const std::uint32_t subgroups = std::clamp(caps.max_workgroup_invocations / budget.subgroup, 1U, wanted);
    d.kernel.spec_constants.push_back(subgroups * budget.subgroup);
    d.kernel.subgroup_size = budget.required_size;
    d.groups = fold_grid(caps, ceil_div(static_cast<std::uint64_t>(part.n.count), subgroups * v.rows));
  });
}

}  // namespace vkgpt::ops
