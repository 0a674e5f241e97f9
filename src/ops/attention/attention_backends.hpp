#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/core/shape.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/plan/dispatch.hpp"
#include "vkgpt/plan/tensor.hpp"

#include "ops/attention/qkv_heads.hpp"

// The passes of attention as every backend gets them; shaders/docs/attention.md has the designs.

namespace vkgpt::ops {

/// A `CheckFailure` unless `t` has that shape and type.
void check_tensor(const plan::Tensor& t, const Shape& shape, DType dtype = DType::kF32);

/// A sequence of a tensor.
struct Extent {
  std::int64_t elements;
  DType dtype = DType::kF32;

  std::int64_t bytes() const { return elements * dtype_size(dtype); }
};

struct AttentionShape {
  std::int64_t B, T;
  QkvHeads heads;
  std::int64_t window;  // 1 to T
  DType dtype;

  Extent qkv() const { return {T * heads.width(), dtype}; }
  Extent out() const { return {T * heads.C(), dtype}; }
  Extent row_values() const { return {T * heads.NH}; }

  /// Operations of one product over all (query, key) pairs of a sequence, such as q k^T.
  std::int64_t product_flops() const {
    const std::int64_t pairs = window * (window + 1) / 2 + (T - window) * window;
    return 2 * pairs * heads.C();
  }
};

/// The cache of a run's keys and values, (slots, NKV, T_max, HS) of the shape's type, beside rows of `rows`.
struct AttentionCache {
  std::int64_t slots, T_max;
  DType rows;
};

enum class AttentionPass { kForward, kBackwardQ, kBackwardKV };

/// The kernel, groups and first six push constants of a pass over the sequences of `slice`, or nothing where
/// the backend cannot do it. Bindings, and what dropout adds, are the same for all backends: attention.cpp
/// sets them. `owners` heads own the rows of the result.
struct AttentionWork {
  AttentionShape shape;
  Slice slice;
  AttentionPass pass;
  std::int64_t owners;  // NH, or NKV in kBackwardKV
  bool drops;           // probabilities, after the softmax
  bool confined;        // to documents
  /// Of kForward by khr and nv: the keys are in it, and T is that of the rows.
  std::optional<AttentionCache> cache = {};

  /// "attention_forward", "attention_backward_dq", "attention_backward_dkv".
  std::string stem() const;
};

/// A dispatch of the kernel `work.stem() + suffix`, whose workgroups own `rows` rows each: macros HS, DTYPE,
/// WINDOW, GROUPED and the backend's own; push constants T, NH, blocks of rows per head, groups, NKV, window.
/// With a cache also the macros CACHED and ROWS_DTYPE, and the push constants T_max and slots.
plan::Dispatch attention_dispatch(const vk::DeviceCaps& caps, const AttentionWork& work,
                                  std::string_view suffix, std::int64_t rows, std::uint32_t subgroup_size,
                                  plan::Macros macros);

/// attention.glsl: rows in registers, the other side's rows from memory lane by lane (scalar) or through
/// shared memory (simt).
std::optional<plan::Dispatch> scalar_attention(const vk::DeviceCaps& caps, const AttentionWork& work);
std::optional<plan::Dispatch> simt_attention(const vk::DeviceCaps& caps, const AttentionWork& work);

/// attention_khr.glsl: products by VK_KHR_cooperative_matrix, in 16 bits with f32 sums. Head sizes that are
/// multiples of a matrix; no dropout.
std::optional<plan::Dispatch> khr_attention(const vk::DeviceCaps& caps, const AttentionWork& work);

/// attention_nv.glsl: the same by VK_NV_cooperative_matrix2.
std::optional<plan::Dispatch> nv_attention(const vk::DeviceCaps& caps, const AttentionWork& work);

}  // namespace vkgpt::ops
