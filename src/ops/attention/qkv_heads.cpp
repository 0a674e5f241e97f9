#include "ops/attention/qkv_heads.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kMaxHeadSize = 256;

}  // namespace

QkvHeads qkv_heads(const plan::Tensor& qkv, std::int64_t n_head, std::int64_t n_kv_head) {
  if (n_kv_head == 0) n_kv_head = n_head;
  VKGPT_CHECK(n_kv_head > 0 && n_head % n_kv_head == 0, "{} heads over {} of keys", n_head, n_kv_head);
  const std::int64_t heads = n_head + 2 * n_kv_head;
  VKGPT_CHECK(qkv.shape.back() % heads == 0, "qkv {} for {} heads", qkv.shape.to_string(), heads);
  const std::int64_t HS = qkv.shape.back() / heads;
  VKGPT_CHECK(HS > 0 && HS <= kMaxHeadSize && HS % 4 == 0, "head size {}", HS);
  VKGPT_CHECK(qkv.dtype == DType::kF32 || dtype_size(qkv.dtype) == 2, "qkv of {}", dtype_name(qkv.dtype));
  return {n_head, n_kv_head, HS};
}

}  // namespace vkgpt::ops
