#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <vector>

#include "vkgpt/ops/attention/attention.hpp"

#include "ops/op_runner.hpp"
#include "reference/attention.hpp"

namespace vkgpt::test {

/// What an attention test runs: sizes and variants of the op.
struct AttentionCase {
  std::int64_t B, T, NH, HS;
  std::int64_t NKV = 0;  // 0 = NH
  std::int64_t window = 0;
  DType dtype = DType::kF32;
  ops::Dropout dropout = {};

  std::int64_t kv_heads() const { return NKV == 0 ? NH : NKV; }
  std::int64_t C() const { return NH * HS; }
  std::int64_t width() const { return (NH + 2 * kv_heads()) * HS; }
  std::size_t out_elements() const { return static_cast<std::size_t>(B * T * C()); }
  std::size_t qkv_elements() const { return static_cast<std::size_t>(B * T * width()); }
  reference::AttentionShape reference_shape() const;
};

std::ostream& operator<<(std::ostream& out, const AttentionCase& c);

/// A forward and a backward on one runner.
struct AttentionRun {
  AttentionRun(OpRunner& runner, const AttentionCase& c, const std::vector<float>& qkv_values,
               const std::vector<float>& dout_values);

  plan::Tensor qkv, dout, out, lse, dqkv;
};

/// GPU-assisted validation multiplies the time to compile an unrolled kernel by ten.
bool is_gpu_assisted();

/// The kernels of CPU drivers, those of GPUs by backend, and for heads of 20 those of a CPU driver without
/// 64-bit loads; under GPU-assisted validation one of them: heads of 20 CPU, 24 shared memory, others GPU.
std::vector<CapsVariant> attention_kernels(std::int64_t HS);

/// Kernels on cooperative matrices, if the device has them: of heads up to 24 "nv", else "khr", of 48 as on
/// GPUs with few registers.
std::optional<CapsVariant> matrix_kernels(std::int64_t HS);

/// The part (0 = q, 1 = k, 2 = v) of every row of x (rows, (NH + 2 NKV) HS).
template <typename T>
std::vector<T> part_of(const std::vector<T>& x, const AttentionCase& c, int part) {
  const std::int64_t kv = c.kv_heads() * c.HS;
  const std::int64_t first = part == 0 ? 0 : c.C() + (part - 1) * kv;
  std::vector<T> result;
  for (auto row = x.begin(); row != x.end(); row += c.width()) {
    result.insert(result.end(), row + first, row + first + (part == 0 ? c.C() : kv));
  }
  return result;
}

}  // namespace vkgpt::test
