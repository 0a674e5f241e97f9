#include "check/attention_variants.hpp"

#include <algorithm>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

constexpr AttentionVariant kSizes[] = {
    {1, 1, 1, 20},   {2, 2, 3, 24},  {3, 3, 2, 20},   {1, 7, 5, 24},  {2, 8, 1, 20},   {1, 9, 2, 24},
    {3, 31, 2, 20},  {1, 33, 3, 24}, {2, 64, 2, 20},  {1, 65, 4, 24}, {2, 100, 1, 20}, {1, 128, 3, 24},
    {1, 257, 2, 20}, {3, 9, 2, 16},  {1, 100, 5, 16}, {2, 33, 4, 32}, {1, 128, 1, 32}, {2, 8, 1, 64},
    {1, 257, 1, 64}, {1, 7, 2, 100}, {3, 33, 1, 128}, {1, 64, 2, 128}};

constexpr AttentionVariant kMatrixVariants[] = {
    {.B = 2, .T = 71, .NH = 4, .HS = 40, .NKV = 2, .window = 9, .dtype = DType::kF16},
    {.B = 1, .T = 131, .NH = 2, .HS = 48, .NKV = 1, .dtype = DType::kF16},
    {.B = 2, .T = 37, .NH = 4, .HS = 24, .NKV = 2, .window = 21, .dtype = DType::kF16},
    {.B = 1, .T = 67, .NH = 3, .HS = 16, .dtype = DType::kF16}};

}  // namespace

AttentionShape AttentionVariant::shape() const {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  return {
      .B = size(B), .T = size(T), .C = size(C()), .NH = size(NH), .NKV = size(NKV), .window = size(window)};
}

std::string AttentionVariant::text() const {
  std::string text =
      vkgpt::format("{} {}x{} heads {} of {} of {}", dtype_name(dtype), B, T, NH, kv_heads(), HS);
  if (window != 0) text += vkgpt::format(" window {}", window);
  return dropout.p == 0 ? text : text + " dropout";
}

std::int64_t AttentionVariant::flops(std::int64_t products) const {
  const std::int64_t seen = window == 0 ? T : std::min(window, T);
  return 2 * products * (seen * (seen + 1) / 2 + (T - seen) * seen) * B * C();
}

std::span<const AttentionVariant> attention_sizes() {
  return kSizes;
}

std::span<const AttentionVariant> attention_matrix_variants() {
  return kMatrixVariants;
}

std::vector<AttentionVariant> attention_variants() {
  std::vector<AttentionVariant> all = {{.B = 2, .T = 33, .NH = 4, .HS = 20, .NKV = 1},
                                       {.B = 1, .T = 64, .NH = 4, .HS = 24, .NKV = 2},
                                       {.B = 1, .T = 9, .NH = 2, .HS = 20, .NKV = 2, .window = 16},
                                       {.B = 1, .T = 131, .NH = 2, .HS = 24, .window = 37},
                                       {.B = 2, .T = 64, .NH = 1, .HS = 20, .window = 16},
                                       {.B = 1, .T = 31, .NH = 3, .HS = 24, .NKV = 1},
                                       {.B = 1, .T = 40, .NH = 4, .HS = 20, .NKV = 2, .window = 1},
                                       {.B = 2, .T = 70, .NH = 3, .HS = 20, .NKV = 1, .window = 7},
                                       {.B = 1, .T = 257, .NH = 4, .HS = 24, .NKV = 2, .window = 64},
                                       {.B = 1, .T = 33, .NH = 2, .HS = 20, .window = 33}};
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    all.push_back({.B = 2, .T = 70, .NH = 4, .HS = 40, .NKV = 2, .window = 9, .dtype = dtype});
    all.push_back({.B = 1, .T = 65, .NH = 4, .HS = 24, .NKV = 2, .window = 40, .dtype = dtype});
    all.push_back({.B = 2, .T = 33, .NH = 2, .HS = 20, .dtype = dtype});
  }
  constexpr ops::Dropout kDropout{.p = 0.3, .site = 1234};
  all.push_back({.B = 2, .T = 37, .NH = 2, .HS = 20, .dropout = kDropout});
  all.push_back({.B = 2,
                 .T = 65,
                 .NH = 4,
                 .HS = 24,
                 .NKV = 2,
                 .window = 21,
                 .dtype = DType::kF16,
                 .dropout = kDropout});
  // Tiles of 2 keys in the backward of CPU drivers.
  all.push_back({.B = 1, .T = 19, .NH = 2, .HS = 40, .dropout = kDropout});
  return all;
}

AttentionVariant whole_attention_head(DType dtype) {
  return {.B = 1, .T = 96, .NH = 2, .HS = 64, .dtype = dtype};
}

std::vector<AttentionVariant> quick_attention_variants() {
  std::vector<AttentionVariant> all;
  for (const DType dtype : kFloatTypes) {
    all.push_back(whole_attention_head(dtype));
    if (dtype == DType::kBF16) continue;
    all.push_back({.B = 2, .T = 70, .NH = 4, .HS = 16, .NKV = 2, .window = 23, .dtype = dtype});
  }
  all.push_back({.B = 1,
                 .T = 33,
                 .NH = 3,
                 .HS = 64,
                 .NKV = 1,
                 .dtype = DType::kF16,
                 .dropout = {.p = 0.25, .site = 5}});
  return all;
}

}  // namespace vkgpt::check
