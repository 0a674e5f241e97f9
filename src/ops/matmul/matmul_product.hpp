#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/ops/weight.hpp"
#include "vkgpt/plan/plan_builder.hpp"

// A matrix product as every backend of the matmul ops gets it.

namespace vkgpt::ops {

struct Product {
  std::string stem;  // of the scalar kernel; other backends add theirs
  Transposition transposition;
  plan::Tensor a;
  Weight b;                 // of a's type, or in blocks
  plan::Tensor c;           // of a's type or f32
  bool accumulate = false;  // c += the finished elements, row_sums likewise
  ByRows by_rows = ByRows::kNo;
  std::optional<plan::Tensor> bias = {};  // (N) f32, added before the epilogue
  Epilogue epilogue = Epilogue::kNone;
  std::optional<plan::Tensor> pre = {};       // (M, N), a's type; written by kGelu, read by kGeluGrad
  std::optional<plan::Tensor> row_sums = {};  // (M) f32, TN only: the sums of a's columns
};

/// Checks that shapes and types of `product` agree with each other.
Extents checked_extents(const Product& product);

/// The type in which matrix units take the operands: a's, but f16 for a run's f32 beside blocks, where the
/// device has such units.
DType operand_dtype(const vk::DeviceCaps& caps, const Product& product);

MatmulKey key_of(const Product& product);

/// Whether the rows of A, B and C are made of words of `elements` neighbours.
bool has_rows_of(const Product& product, std::int64_t elements);

/// One dispatch: rows `m` and columns `n` of C, over `k`.
struct Part {
  Slice m, n, k;
  bool is_first_k, is_last_k;
  /// Where several parts of K are one dispatch: all of K, `k` being the first of them.
  std::optional<Slice> all_k = {};

  /// Whether `depth` at a time leave a rest of k.
  bool has_k_tail(std::int64_t depth) const {
    return k.count % depth != 0 || (all_k && all_k->count % k.count % depth != 0);
  }
};

/// The epilogue of a part, and where the sums are that it continues.
struct PartWork {
  /// The numbers are those of shaders/include/matmul_forms.glsl.
  enum class Partial { kNone = 0, kInC = 1, kApart = 2 };
  enum class RowSums { kNone = 0, kAdd = 1, kStore = 2 };

  plan::Tensor c;  // the product's, or f32 sums: of the k so far, or of the part's
  Partial partial = Partial::kNone;
  bool accumulate = false;  // c += the finished elements, last of all
  Epilogue epilogue = Epilogue::kNone;
  bool has_bias = false;
  RowSums row_sums = RowSums::kNone;

  bool reads_c() const { return accumulate || partial == Partial::kInC; }
};

/// The parts of a product: operands within what a descriptor covers, work within what a submission's time
/// allows, k cut where caches or the backend want it (`k_limit` elements at most).
struct Slicing {
  std::vector<Part> parts;  // those of one element of C in the order of their k
  /// (M, N) f32, the sums between parts of k where C cannot hold them.
  bool has_partials = false;
};
Slicing slice(const vk::DeviceCaps& caps, const Product& product, const Extents& extents,
              std::int64_t k_limit);

PartWork work_of(const Product& product, const std::optional<plan::Tensor>& partials, const Part& part);

/// All that shaders/include/matmul.glsl expects whatever the backend: macros, buffers in the order of the
/// bindings, push constants; and the cost. The backend adds its own macros and the groups.
plan::Dispatch part_dispatch(const Product& product, const std::optional<plan::Tensor>& partials,
                             const Part& part, const PartWork& work);

}  // namespace vkgpt::ops
