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
  for (const Slice slice : row_slices(caps, rows, row_bytes, slice_granule(dtype_size(dtype) == 2))) {
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

}  // namespace

double rope_frequency(const RopeAngles& angles, std::int64_t i, std::int64_t HS) {
  const double plain = std::pow(angles.theta, -static_cast<double>(2 * i) / static_cast<double>(HS));
  if (angles.factor == 1) return plain;
  const double turns = angles.original_context * plain / (2 * std::numbers::pi);
  const double kept = std::clamp((turns - angles.low) / (angles.high - angles.low), 0.0, 1.0);
  return plain * (kept + (1 - kept) / angles.factor);
}

plan::Tensor rope_table(plan::PlanBuilder& builder, std::int64_t T_max, std::int64_t HS,
                        const RopeAngles& angles) {
  VKGPT_CHECK(T_max > 0 && HS > 0 && HS % 2 == 0 && angles.theta > 0, "{} positions, heads of {}, theta {}",
              T_max, HS, angles.theta);
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < HS / 2; ++i) frequencies.push_back(rope_frequency(angles, i, HS));
  std::vector<std::uint32_t> words;
  words.reserve(T_max * HS);
  for (std::int64_t t = 0; t < T_max; ++t) {
    for (const double radians : frequencies) {
      const double angle = static_cast<double>(t) * radians;
      words.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(std::cos(angle))));
      words.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(std::sin(angle))));
    }
  }
  const std::string name = vkgpt::format("rope_table_{}_{}_{}_{}_{}_{}_{}", T_max, HS, angles.theta,
                                         angles.factor, angles.low, angles.high, angles.original_context);
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
