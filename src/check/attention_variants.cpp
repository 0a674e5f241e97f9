#include "check/attention_variants.hpp"

#include <algorithm>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

constexpr AttentionVariant kSizes[] = {
    {1, 1, 1, 20},   {2, 2, 3, 24},  {3, 3, 2, 20},   {1, 7, 5, 24},   {2, 8, 1, 20},   {1, 9, 2, 24},
    {3, 31, 2, 20},  {1, 33, 3, 24}, {2, 64, 2, 20},  {1, 65, 4, 24},  {2, 100, 1, 20}, {1, 128, 3, 24},
    {1, 257, 2, 20}, {3, 9, 2, 16},  {1, 100, 5, 16}, {2, 33, 4, 32},  {1, 128, 1, 32}, {2, 8, 1, 64},
    {1, 257, 1, 64}, {1, 7, 2, 100}, {3, 33, 1, 128}, {1, 64, 2, 128}, {1, 41, 2, 256}};

constexpr AttentionVariant kMatrixVariants[] = {
    {.B = 2, .T = 71, .NH = 4, .HS = 40, .NKV = 2, .window = 9, .dtype = DType::kF16},
    {.B = 1, .T = 131, .NH = 2, .HS = 48, .NKV = 1, .dtype = DType::kF16},
    {.B = 2, .T = 37, .NH = 4, .HS = 24, .NKV = 2, .window = 21, .dtype = DType::kF16},
    {.B = 1, .T = 67, .NH = 3, .HS = 16, .dtype = DType::kF16},
    {.B = 2, .T = 71, .NH = 4, .HS = 40, .NKV = 2, .dtype = DType::kF16, .document = 15},
    {.B = 2, .T = 131, .NH = 2, .HS = 48, .NKV = 1, .window = 40, .dtype = DType::kF16, .document = 30},
    {.B = 2, .T = 67, .NH = 4, .HS = 24, .NKV = 2, .dtype = DType::kF16, .document = 9},
    {.B = 2, .T = 131, .NH = 3, .HS = 16, .window = 37, .dtype = DType::kF16, .document = 40},
    {.B = 1, .T = 71, .NH = 2, .HS = 256, .NKV = 1, .window = 30, .dtype = DType::kF16}};

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
  if (document != 0) text += vkgpt::format(" documents of {}", document);
  return dropout.p == 0 ? text : text + " dropout";
}

std::vector<std::int32_t> AttentionVariant::positions() const {
  std::vector<std::int32_t> result;
  if (document == 0) return result;
  // Lengths between 1 and about twice the usual one, in another order in every sequence.
  for (std::int64_t b = 0; b < B; ++b) {
    std::int64_t left = 0, position = 0, next = b;
    for (std::int64_t t = 0; t < T; ++t, --left, ++position) {
      if (left == 0) {
        left = 1 + next++ * 7 % (2 * document);
        position = 0;
      }
      result.push_back(static_cast<std::int32_t>(position));
    }
  }
  return result;
}

std::vector<std::int32_t> AttentionVariant::ends() const {
  const std::vector<std::int32_t> starts = positions();
  std::vector<std::int32_t> result(starts.size());
  for (auto i = std::ssize(starts) - 1; i >= 0; --i) {
    const bool is_last = i % T == T - 1 || starts[static_cast<std::size_t>(i + 1)] == 0;
    const auto at = static_cast<std::size_t>(i);
    result[at] = is_last ? static_cast<std::int32_t>(i % T + 1) : result[at + 1];
  }
  return result;
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
  for (const std::int64_t HS : {20, 24}) {
    all.push_back({.B = 2, .T = 70, .NH = 2, .HS = HS, .NKV = 1, .document = 9});
    all.push_back({.B = 2, .T = 66, .NH = 2, .HS = HS, .window = 7, .dtype = DType::kF16, .document = 20});
  }
  all.push_back({.B = 2, .T = 37, .NH = 2, .HS = 20, .dropout = kDropout, .document = 11});
  all.push_back({.B = 1, .T = 19, .NH = 1, .HS = 132});
  all.push_back({.B = 1,
                 .T = 37,
                 .NH = 2,
                 .HS = 256,
                 .NKV = 1,
                 .window = 21,
                 .dtype = DType::kF16,
                 .dropout = kDropout,
                 .document = 11});
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
    // Small heads first: GPU-assisted validation takes the first that builds a kernel.
    if (dtype != DType::kBF16) {
      all.push_back({.B = 2, .T = 70, .NH = 4, .HS = 16, .NKV = 2, .window = 23, .dtype = dtype});
    }
    all.push_back(whole_attention_head(dtype));
  }
  all.push_back({.B = 2, .T = 70, .NH = 4, .HS = 64, .NKV = 2, .dtype = DType::kF16, .document = 23});
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
