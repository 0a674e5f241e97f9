#include "vkgpt/ops/attention/rope.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/attention/qkv_heads.hpp"
#include "ops/places.hpp"
#include "ops/work_slices.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;

void rotate(plan::PlanBuilder& builder, const std::string& stem, const RopeForward& args) {
  const vk::DeviceCaps& caps = builder.caps();
  const QkvHeads heads = qkv_heads(args.qkv, args.n_head, args.n_kv_head);
  const DType dtype = args.qkv.dtype;
  VKGPT_CHECK(args.places || args.qkv.shape.rank() == 3, "qkv {}", args.qkv.shape.to_string());
  if (args.places) check_places(*args.places, args.qkv.shape.rows());
  if (args.positions) check_positions(*args.positions, args.qkv.shape.rows());
  const std::int64_t T = args.places ? 1 : args.qkv.shape[1];
  const std::int64_t T_max = args.table.shape[0];
  VKGPT_CHECK(args.table.shape == (Shape{T_max, heads.HS / 2, 2}) && T <= T_max, "table {} for {} positions",
              args.table.shape.to_string(), T);
  const plan::Macros macros =
      plan::Macros{}.dtype("DTYPE", dtype).value("HS", heads.HS).flag("PLACES", args.places.has_value());

  const std::int64_t rows = args.qkv.shape.rows();
  const std::int64_t row_bytes = heads.width() * dtype_size(dtype);
  for (const Slice slice : work_rows(caps, rows, row_bytes, slice_granule(dtype_size(dtype) == 2))) {
    const std::int64_t pairs = slice.count * heads.normed() * heads.HS / 2;
    plan::Dispatch dispatch = elementwise(caps, stem, pairs, macros);
    dispatch.bindings = {matrix_rows(read_write(args.qkv), heads.width(), slice, dtype), read(args.table)};
    if (args.places) dispatch.bindings.push_back(matrix_rows(read(*args.places), 2, slice));
    if (args.positions) add_binding(dispatch, "POSITIONS", elements(read(*args.positions), slice));
    dispatch.push =
        PushWords{}.u32(pairs, heads.normed(), heads.width(), slice.first % T, args.places ? T_max : T);
    dispatch.cost = {.flops = 6 * pairs, .bytes = 4 * pairs * dtype_size(dtype)};
    builder.dispatch(std::move(dispatch));
  }
}

/// The number of the pair, not whole, that turns `turns` times in the original context.
double pair_that_turns(const RopeAngles& angles, double turns, std::int64_t HS) {
  const double turn = 2 * std::numbers::pi * turns;
  return static_cast<double>(HS) * std::log(angles.original_context / turn) / (2 * std::log(angles.theta));
}

/// How much of pair i's speed is kept: 1 all, 0 none but what `factor` leaves.
double kept_share(const RopeAngles& angles, double plain, std::int64_t i, std::int64_t HS) {
  if (angles.scaling == RopeScaling::kLinear) return 0;
  if (angles.scaling == RopeScaling::kLlama3) {
    const double turns = angles.original_context * plain / (2 * std::numbers::pi);
    return std::clamp((turns - angles.low) / (angles.high - angles.low), 0.0, 1.0);
  }
  constexpr double kShortestRamp = 0.001;
  double first = pair_that_turns(angles, angles.high, HS), last = pair_that_turns(angles, angles.low, HS);
  if (angles.truncate) first = std::floor(first), last = std::ceil(last);
  first = std::max(first, 0.0);
  last = std::min(last, static_cast<double>(HS - 1));
  if (first == last) last += kShortestRamp;
  return 1 - std::clamp((static_cast<double>(i) - first) / (last - first), 0.0, 1.0);
}

}  // namespace

double rope_frequency(const RopeAngles& angles, std::int64_t i, std::int64_t HS) {
  const double plain = std::pow(angles.theta, -static_cast<double>(2 * i) / static_cast<double>(HS));
  if (angles.scaling == RopeScaling::kNone) return plain;
  const double kept = kept_share(angles, plain, i, HS);
  return plain * (kept + (1 - kept) / angles.factor);
}

plan::Tensor rope_table(plan::PlanBuilder& builder, std::int64_t T_max, std::int64_t HS,
                        const RopeAngles& angles) {
  VKGPT_CHECK(T_max > 0 && HS > 0 && HS % 2 == 0 && angles.theta > 0, "{} positions, heads of {}, theta {}",
              T_max, HS, angles.theta);
  const std::string name = vkgpt::format(
      "rope_table_{}_{}_{}_{}_{}_{}_{}_{}_{}_{}", T_max, HS, angles.theta, static_cast<int>(angles.scaling),
      angles.factor, angles.low, angles.high, angles.original_context, angles.truncate, angles.magnitude);
  if (const auto made = builder.find_constant(name)) return *made;
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < HS / 2; ++i) frequencies.push_back(rope_frequency(angles, i, HS));
  std::vector<std::uint32_t> words;
  words.reserve(T_max * HS);
  for (std::int64_t t = 0; t < T_max; ++t) {
    for (const double radians : frequencies) {
      const double angle = static_cast<double>(t) * radians;
      for (const double part : {std::cos(angle), std::sin(angle)}) {
        words.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(angles.magnitude * part)));
      }
    }
  }
  return builder.constant(name, {T_max, HS / 2, 2}, DType::kF32, std::move(words));
}

void rope_forward(plan::PlanBuilder& builder, const RopeForward& args) {
  rotate(builder, "rope_forward", args);
}

void rope_backward(plan::PlanBuilder& builder, const RopeBackward& args) {
  rotate(builder, "rope_backward",
         {.qkv = args.dqkv,
          .table = args.table,
          .n_head = args.n_head,
          .n_kv_head = args.n_kv_head,
          .positions = args.positions});
}

}  // namespace vkgpt::ops
