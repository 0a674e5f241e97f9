#pragma once

#include <cstdint>

#include "vkgpt/plan/tensor.hpp"

namespace vkgpt::ops {

/// The heads inside a row of qkv: NH of q, then NKV of k and NKV of v, each of HS elements. Query head h
/// attends with key and value head h / (NH / NKV): all heads have their own (NKV = NH), groups share
/// one (Ainslie et al., arXiv:2305.13245) or all do (NKV = 1, Shazeer, arXiv:1911.02150).
struct QkvHeads {
  std::int64_t NH, NKV, HS;

  std::int64_t C() const { return NH * HS; }        // of the attention's output
  std::int64_t normed() const { return NH + NKV; }  // heads of q and k
  std::int64_t width() const { return (NH + 2 * NKV) * HS; }
};

/// The heads of qkv (..., (NH + 2 NKV) HS); n_kv_head = 0 stands for n_head. HS is a multiple of 4 and at
/// most 256; elements are f32, f16 or bf16. Anything else is a
/// `CheckFailure`.
QkvHeads qkv_heads(const plan::Tensor& qkv, std::int64_t n_head, std::int64_t n_kv_head);

}  // namespace vkgpt::ops
