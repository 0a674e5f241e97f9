#include <algorithm>
#include <optional>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/attention/attention.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/vk/subgroup_size.hpp"

#include "ops/attention/attention_backends.hpp"
#include "ops/attention/qkv_heads.hpp"
#include "ops/grid.hpp"
#include "ops/narrow_subgroup.hpp"
#include "ops/places.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::write;

/// The caches of keys and values, (slots, NKV, T_max, HS), of the rows' type or f16 beside rows of f32.
void check_caches(const plan::Tensor& k_cache, const plan::Tensor& v_cache, const QkvHeads& heads,
                  DType rows) {
  const DType dtype = k_cache.dtype;
  VKGPT_CHECK(k_cache.shape.rank() == 4 && (dtype == rows || (dtype == DType::kF16 && rows == DType::kF32)),
              "cache {} {} of rows of {}", dtype_name(dtype), k_cache.shape.to_string(), dtype_name(rows));
  check_tensor(k_cache, {k_cache.shape[0], heads.NKV, k_cache.shape[2], heads.HS}, dtype);
  check_tensor(v_cache, k_cache.shape, dtype);
}

/// The fewest that a subgroup can have.
std::uint32_t least_subgroup(const vk::DeviceCaps& caps) {
  const std::uint32_t least = vk::knows_subgroup_size(caps) ? caps.subgroup_size : caps.min_subgroup_size;
  return std::min(narrow_subgroup(caps), least);
}

/// Rows of a run that a workgroup of `attention_decode` takes: each key that it loads, on a GPU from a cache
/// line for each lane, serves all of them. The sums of four may take a quarter of the registers, those of
/// more an eighth; those of all subgroups pass through shared memory.
std::int64_t run_queries(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t HS, std::int64_t lanes) {
  const std::int64_t registers = register_budget(caps).registers;
  const auto fits = [&](std::int64_t queries) {
    const std::int64_t sums = queries * HS / least_subgroup(caps);
    const std::int64_t shared_bytes = 4 * lanes / least_subgroup(caps) * queries * (HS + 2);
    return rows % queries == 0 && sums <= registers / (queries > 4 ? 8 : 4) &&
           shared_bytes <= caps.shared_memory_bytes;
  };
  // Eight of 256 take 252 registers of an AMD GPU.
  std::int64_t queries = caps.is_cpu() || HS > 128 ? 4 : 8;
  while (queries > 1 && !fits(queries)) queries /= 2;
  return queries;
}

/// How workgroups divide the cached positions of a head of a row: into blocks of `keys`, of which a row sees
/// at most `parts`.
struct KeySplit {
  std::int64_t parts = 1, keys = 0;
};

/// As many parts as let one row fill the device. Others beside it change nothing, lest they change its bits.
KeySplit key_split(const AttentionDecode& args, const vk::DeviceCaps& caps, const QkvHeads& heads,
                   std::int64_t lanes) {
  constexpr std::int64_t kLeastKeys = 128;
  const std::int64_t T_max = args.k_cache.shape[2];
  if (caps.is_cpu() || args.is_run) return {};
  const std::int64_t seen = args.window == 0 ? T_max : std::min(args.window, T_max);
  const std::int64_t wanted = ceil_div(invocations_to_fill(caps), heads.NH * lanes);
  const std::int64_t keys = ceil_div(std::max(kLeastKeys, ceil_div(seen, wanted)), lanes) * lanes;
  // A window that begins within a block ends in one more.
  const std::int64_t blocks = ceil_div(seen, keys) + (seen < T_max ? 1 : 0);
  return {.parts = std::min(blocks, ceil_div(T_max, keys)), .keys = keys};
}

void append_merge(plan::PlanBuilder& builder, const AttentionDecode& args, const QkvHeads& heads,
                  const KeySplit& split, const plan::Tensor& acc, const plan::Tensor& sums) {
  const std::int64_t count = args.out.shape.numel() / 4;
  plan::Dispatch dispatch =
      elementwise(builder.caps(), "attention_decode_merge", count,
                  plan::Macros{}.value("HS", heads.HS).dtype("DTYPE", args.out.dtype), 1);
  dispatch.bindings = {read(args.places), read(acc), read(sums), write(args.out)};
  dispatch.push = PushWords{}.u32(count, args.k_cache.shape[2], heads.NH, args.window, args.k_cache.shape[0],
                                  split.parts, split.keys);
  dispatch.cost.flops = 2 * acc.shape.numel();
  builder.dispatch(std::move(dispatch));
}

/// The kernel of a run on matrices, without bindings, where the cache is of their type and the device prefers
/// them.
std::optional<plan::Dispatch> matrix_run(const vk::Target& target, const AttentionDecode& args,
                                         const QkvHeads& heads) {
  if (!args.is_run) return std::nullopt;
  const DType dtype = args.k_cache.dtype;
  const std::int64_t slots = args.k_cache.shape[0], T_max = args.k_cache.shape[2];
  const AttentionWork work{.shape = {1, args.qkv.shape.rows(), heads,
                                     args.window == 0 ? T_max : std::min(args.window, T_max), dtype},
                           .slice = {0, 1},
                           .pass = AttentionPass::kForward,
                           .owners = heads.NH,
                           .drops = false,
                           .confined = false,
                           .cache = AttentionCache{.slots = slots, .T_max = T_max, .rows = args.qkv.dtype}};
  for (const Backend backend : backend_order(target, "attention", dtype)) {
    if (backend != Backend::kKhr && backend != Backend::kNv) return std::nullopt;
    const auto of = backend == Backend::kKhr ? khr_attention : nv_attention;
    if (std::optional<plan::Dispatch> dispatch = of(target.caps, work)) return dispatch;
  }
  return std::nullopt;
}

}  // namespace

void attention_cache_fill(plan::PlanBuilder& builder, const AttentionCacheFill& args) {
  const QkvHeads heads = qkv_heads(args.qkv, args.n_head, args.n_kv_head);
  const std::int64_t rows = args.qkv.shape.rows();
  const DType dtype = args.qkv.dtype;
  check_places(args.places, rows);
  check_caches(args.k_cache, args.v_cache, heads, dtype);
  const std::int64_t count = rows * heads.NKV * heads.HS / 4;
  plan::Dispatch dispatch = elementwise(
      builder.caps(), "attention_cache_fill", count,
      plan::Macros{}.value("HS", heads.HS).dtype("DTYPE", dtype).dtype("CACHE_DTYPE", args.k_cache.dtype));
  dispatch.bindings = {read(args.qkv), read(args.places), write(args.k_cache), write(args.v_cache)};
  dispatch.push = PushWords{}.u32(count, args.k_cache.shape[2], heads.NH, heads.NKV, args.k_cache.shape[0]);
  dispatch.cost.bytes = 8 * count * (dtype_size(dtype) + dtype_size(args.k_cache.dtype));
  builder.dispatch(std::move(dispatch));
}

void attention_decode(plan::PlanBuilder& builder, const AttentionDecode& args) {
  const vk::DeviceCaps& caps = builder.caps();
  const QkvHeads heads = qkv_heads(args.qkv, args.n_head, args.n_kv_head);
  const std::int64_t rows = args.qkv.shape.rows();
  const DType dtype = args.qkv.dtype;
  check_places(args.places, rows);
  check_tensor(args.out, {rows, heads.C()}, dtype);
  check_caches(args.k_cache, args.v_cache, heads, dtype);
  VKGPT_CHECK(args.window >= 0, "a window of {}", args.window);
  const std::int64_t T_max = args.k_cache.shape[2];
  const std::int64_t seen = args.window == 0 ? T_max : std::min(args.window, T_max);
  const std::int64_t flops = 4 * seen * heads.C() * rows;
  if (std::optional<plan::Dispatch> run = matrix_run(builder.target(), args, heads)) {
    run->bindings = {read(args.qkv),     write(args.out),   read(args.k_cache),
                     read(args.v_cache), read(args.places), read(step_params(builder))};
    run->cost.flops = flops;
    return builder.dispatch(*std::move(run));
  }
  std::uint32_t lanes = std::min<std::uint32_t>(4, subgroups_per_workgroup(caps)) * caps.subgroup_size;
  const std::uint32_t split_lanes = std::min<std::uint32_t>(lanes, std::max(128U, caps.subgroup_size));
  const KeySplit split = key_split(args, caps, heads, split_lanes);
  const bool is_split = split.parts > 1;
  if (is_split) lanes = split_lanes;
  const std::int64_t queries = args.is_run ? run_queries(caps, rows, heads.HS, lanes) : 1;
  const std::int64_t groups = rows / queries * heads.NH * split.parts;
  const auto cache = [&](const plan::Tensor& t) { return args.is_run ? read(t) : read_write(t); };
  plan::Dispatch dispatch = {
      .kernel = {.stem = "attention_decode",
                 .macros = plan::Macros{}
                               .value("HS", heads.HS)
                               .value("LANES", lanes)
                               .value("MIN_SUBGROUP", least_subgroup(caps))
                               .value("QUERIES", queries)
                               .value("STORES", !args.is_run)
                               .value("SPLITS", is_split)
                               .dtype("DTYPE", dtype)
                               .dtype("CACHE_DTYPE", args.k_cache.dtype),
                 .subgroup_size = vk::knows_subgroup_size(caps) ? narrow_subgroup(caps) : 0},
      .bindings = {read(args.qkv), read(args.places), cache(args.k_cache), cache(args.v_cache)},
      .push = PushWords{}.u32(T_max, heads.NH, groups, heads.NKV, args.window, args.k_cache.shape[0]),
      .groups = fold_grid(caps, groups),
      .cost = {.flops = flops}};
  if (!is_split) {
    dispatch.bindings.push_back(write(args.out));
    return builder.dispatch(std::move(dispatch));
  }
  const plan::Tensor acc = builder.transient("attention_parts", {rows, heads.NH, split.parts, heads.HS});
  const plan::Tensor sums = builder.transient("attention_part_sums", {rows, heads.NH, split.parts, 2});
  dispatch.bindings.insert(dispatch.bindings.end(), {write(acc), write(sums)});
  for (const std::int64_t word : {split.parts, split.keys})
    dispatch.push.push_back(static_cast<std::uint32_t>(word));
  builder.dispatch(std::move(dispatch));
  append_merge(builder, args, heads, split, acc, sums);
}

}  // namespace vkgpt::ops
