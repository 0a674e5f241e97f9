#include "vkgpt/ops/matmul/matmul_tuning.hpp"

#include <array>
#include <cstddef>
#include <utility>

#include "ops/matmul/matmul_choice.hpp"

namespace vkgpt::ops {
namespace {

/// The product of `key`, on tensors that `builder` has by name.
Product product_of(plan::PlanBuilder& builder, const MatmulKey& key) {
  constexpr std::array kStems = {"linear_backward_input", "linear_forward", "linear_backward_weight"};
  const auto& [m, n, k] = key.extents;
  const bool is_nt = key.transposition == Transposition::kNT;
  const bool is_tn = key.transposition == Transposition::kTN;
  const auto tensor = [&](const char* name, Shape shape, DType dtype) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations, dtype);
  };
  const Shape b_shape = is_nt ? Shape{n, k} : Shape{k, n};
  Product product{.stem = kStems[static_cast<std::size_t>(key.transposition)],
                  .transposition = key.transposition,
                  .a = tensor("a", is_tn ? Shape{k, m} : Shape{m, k}, key.dtype),
                  .b = key.blocks ? persistent_blocks(builder, "b", *key.blocks, b_shape)
                                  : Weight(tensor("b", b_shape, key.dtype)),
                  .c = tensor("c", {m, n}, is_tn ? DType::kF32 : key.dtype),
                  .accumulate = key.accumulate,
                  .epilogue = key.epilogue};
  if (key.bias) product.bias = tensor("bias", {n}, DType::kF32);
  if (key.epilogue != Epilogue::kNone) product.pre = tensor("pre", {m, n}, key.dtype);
  if (key.row_sums) product.row_sums = tensor("row_sums", {m}, DType::kF32);
  return product;
}

}  // namespace

std::vector<MatmulKernel> matmul_candidates(const vk::Target& target, const MatmulKey& key) {
  plan::PlanBuilder builder(target);
  return matmul_kernels(target, product_of(builder, key));
}

void append_matmul(plan::PlanBuilder& builder, const MatmulKey& key, const MatmulKernel& kernel) {
  append_product(builder, product_of(builder, key), kernel);
}

}  // namespace vkgpt::ops
