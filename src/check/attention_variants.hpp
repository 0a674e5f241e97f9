#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/ops/attention/attention.hpp"

namespace vkgpt::check {

/// A size of attention in the tables of cases.
struct AttentionVariant {
  std::int64_t B, T, NH, HS;
  std::int64_t NKV = 0;  // 0 = NH
  std::int64_t window = 0;
  DType dtype = DType::kF32;
  ops::Dropout dropout = {};
  std::int64_t document = 0;  // documents of about so many tokens share a sequence; 0: none do

  std::int64_t kv_heads() const { return NKV == 0 ? NH : NKV; }
  std::int64_t C() const { return NH * HS; }
  std::int64_t width() const { return (NH + 2 * kv_heads()) * HS; }
  AttentionShape shape() const;
  std::string text() const;
  /// (B, T): of each token in its document, and where that ends; empty without documents.
  std::vector<std::int32_t> positions() const;
  std::vector<std::int32_t> ends() const;
  /// Operations of `products` products over all pairs of a query and a key that it sees.
  std::int64_t flops(std::int64_t products) const;
};

/// Every tile of queries and keys has a tail in some of these. A head of 20 leaves a broadcasting kernel a
/// short last chunk, one of 24 is shared by two invocations on a GPU.
std::span<const AttentionVariant> attention_sizes();

/// Grouped and multi-query heads; windows shorter and longer than T, of one position and of whole tiles; 16
/// bits with heads of 40, a word of which is loaded by more lanes than there are in one go.
std::vector<AttentionVariant> attention_variants();

/// Rows that a matrix does not divide, several tiles, groups and windows: khr, khr where subgroups share
/// rows, nv.
std::span<const AttentionVariant> attention_matrix_variants();

/// A head of 64, the most frequent size.
AttentionVariant whole_attention_head(DType dtype);

/// Of the output: scores and probabilities may be rounded to the type on the way.
inline double attention_bound(DType dtype) {
  return (dtype == DType::kF32 ? 1 : 0.4) * rounding_bound(dtype);
}

/// Over a cache: steps and runs.
std::vector<Case> attention_decoding_cases();

/// What `vkgpt selftest` runs by each backend.
std::vector<AttentionVariant> quick_attention_variants();

}  // namespace vkgpt::check
