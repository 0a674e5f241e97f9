#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/optimizer/optimizer_arenas.hpp"
#include "ops/work_slices.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

constexpr std::int64_t kCodeWords = 2 * kAdamW8Block / 4;  // of a block

/// Blocks of the arena whose moments lie side by side in compact tensors, in ascending order.
using Blocks = std::vector<std::uint32_t>;

struct Partition {
  Blocks big, small;
};

Partition partition(const OptimizerAdamW8& args) {
  Partition result;
  std::int64_t end = 0;
  for (const Slice t : args.tensors) {
    VKGPT_CHECK(t.first % kAdamW8Block == 0 && t.first >= end && t.count > 0 &&
                    t.first + t.count <= args.weights.shape.numel(),
                "tensor {}+{} after {} of {} weights", t.first, t.count, end, args.weights.shape.numel());
    end = t.first + t.count;
    Blocks& blocks = t.count < kAdamW8MinElements ? result.small : result.big;
    for (std::int64_t e = t.first; e < end; e += kAdamW8Block) {
      blocks.push_back(static_cast<std::uint32_t>(e / kAdamW8Block));
    }
  }
  return result;
}

/// (2, 256): what the codes of m, and those of v, stand for.
Tensor value_table(PlanBuilder& builder) {
  std::vector<std::uint32_t> words;
  for (const bool is_signed : {true, false}) {
    for (const float value : adamw8_values(is_signed)) words.push_back(std::bit_cast<std::uint32_t>(value));
  }
  return builder.constant("adamw8_table", {2, 256}, DType::kF32, std::move(words));
}

PushWords push_constants(PushWords words, const AdamW& constants) {
  return words.f32(constants.beta1, 1.0 - constants.beta1, constants.beta2, 1.0 - constants.beta2,
                   constants.eps, constants.weight_decay);
}

/// Calls `append(slice, run)` for every slice of the arena with the run of `blocks` that lie in it.
template <typename Append>
void for_each_slice(PlanBuilder& builder, const OptimizerAdamW8& args, const Blocks& blocks, Append append) {
  for (const Slice slice : work_slices(builder, {args.weights, args.gradients}, kAdamW8Block)) {
    const auto place_of = [&](std::int64_t element) {
      return std::ranges::lower_bound(blocks, element / kAdamW8Block) - blocks.begin();
    };
    const std::int64_t first = place_of(slice.first), end = place_of(slice.first + slice.count);
    if (end > first) append(slice, Slice{first, end - first});
  }
}

void append_big(PlanBuilder& builder, const OptimizerAdamW8& args, const AdamW& constants,
                const Blocks& blocks) {
  const std::int64_t count = std::ssize(blocks);
  const Tensor codes = builder.persistent("adamw8_codes", {count, kCodeWords}, Role::kOptimizer, DType::kU32);
  const Tensor scales = builder.persistent("adamw8_scales", {count, 2}, Role::kOptimizer);
  const Tensor table = value_table(builder);
  const Tensor map = builder.constant("adamw8_blocks", {count}, DType::kU32, blocks);
  vk::DeviceCaps caps = builder.caps();
  caps.subgroup_size = register_budget(caps).subgroup;  // a block's moments are held at once
  for_each_slice(builder, args, blocks, [&](Slice slice, Slice run) {
    Dispatch d = subgroup_per_row(caps, "optimizer_adamw8", run.count);
    d.bindings = {elements(read_write(args.weights), slice),
                  elements(read(args.gradients), slice),
                  matrix_rows(read_write(codes), kCodeWords, run, DType::kU32),
                  read_write(scales),
                  read(map),
                  read(table),
                  read(args.decay),
                  read(args.norm),
                  read(step_params(builder))};
    d.push = push_constants(PushWords{}.u32(run.count, run.first, slice.first / kAdamW8Block), constants);
    const std::int64_t n = run.count * kAdamW8Block;
    d.cost = {.flops = 60 * n, .bytes = 16 * n};
    builder.dispatch(std::move(d));
  });
}

void append_small(PlanBuilder& builder, const OptimizerAdamW8& args, const AdamW& constants,
                  const Blocks& blocks) {
  const std::int64_t count = std::ssize(blocks);
  const Tensor m = builder.persistent("adamw8_small_m", {count * kAdamW8Block}, Role::kOptimizer);
  const Tensor v = builder.persistent("adamw8_small_v", {count * kAdamW8Block}, Role::kOptimizer);
  const Tensor map = builder.constant("adamw8_small_blocks", {count}, DType::kU32, blocks);
  for_each_slice(builder, args, blocks, [&](Slice slice, Slice run) {
    const Slice moments{run.first * kAdamW8Block, run.count * kAdamW8Block};
    const std::int64_t width =
        std::min(f32_width(builder.caps(), slice.count), f32_width(builder.caps(), moments.count));
    Dispatch d = elementwise(builder.caps(), "optimizer_adamw", moments.count / width,
                             plan::Macros{}.value("BLOCK", kAdamW8Block).value("WIDTH", width));
    d.bindings = {elements(read_write(args.weights), slice),
                  elements(read(args.gradients), slice),
                  elements(read_write(m), moments),
                  elements(read_write(v), moments),
                  read(args.decay),
                  read(args.norm),
                  read(step_params(builder)),
                  read(map)};
    d.push = push_constants(PushWords{}.u32(moments.count, mask_bit(slice.first)), constants).u32(run.first);
    const std::int64_t n = moments.count;
    d.cost = {.flops = 16 * n, .bytes = 28 * n};
    builder.dispatch(std::move(d));
  });
}

}  // namespace

std::array<float, 256> adamw8_values(bool is_signed) {
  std::array<float, 256> values{};  // begins with the 0
  std::size_t size = 1;
  for (int decade = 0; decade < 7; ++decade) {
    const int cells = 1 << (is_signed ? decade : decade + 1);
    const double largest = std::pow(10.0, decade - 6);
    for (int cell = 0; cell < cells; ++cell) {
      const double middle = largest * (0.1 + 0.9 * (cell + 0.5) / cells);
      values[size++] = static_cast<float>(middle);
      if (is_signed) values[size++] = static_cast<float>(-middle);
    }
  }
  values[size++] = 1.0F;
  VKGPT_CHECK(size == values.size(), "{} values", size);
  std::ranges::sort(values);
  return values;
}

void optimizer_adamw8(PlanBuilder& builder, const OptimizerAdamW8& args, const AdamW& constants) {
  const std::int64_t n = args.weights.shape.numel();
  VKGPT_CHECK(n % kAdamW8Block == 0, "{} weights", n);
  const Tensor* const arenas[] = {&args.weights, &args.gradients};
  check_optimizer(n, arenas, args.decay, std::nullopt, args.norm);
  const Partition parts = partition(args);
  if (!parts.big.empty()) append_big(builder, args, constants, parts.big);
  if (!parts.small.empty()) append_small(builder, args, constants, parts.small);
}

}  // namespace vkgpt::ops
