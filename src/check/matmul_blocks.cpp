#include "check/matmul_blocks.hpp"

#include <algorithm>
#include <span>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

#include "check/block_operand.hpp"

namespace vkgpt::check {

BlockOperand random_blocks(Trial& t, BlockType type, const Shape& shape, std::uint64_t seed) {
  const BlockFormat& format = block_format(type);
  const auto count = static_cast<std::size_t>(shape.numel());
  std::vector<float> values = random_floats(count, seed);
  std::vector<std::uint32_t> quants(format.quant_words(count)), scales(format.scale_words(count));
  encode_blocks(type, values, quants, scales);
  decode_blocks(type, quants, scales, values);
  const auto per_word = static_cast<std::int64_t>(format.per_word);
  const auto input = [&](Shape size, std::span<const std::uint32_t> words) {
    return t.input(std::move(size), words);
  };
  const plan::Tensor q = input({shape.rows(), shape.back() / per_word}, quants);
  if (scales.empty()) return {ops::Weight(type, shape, q, std::nullopt), to_double(values)};
  const plan::Tensor s = input({static_cast<std::int64_t>(scales.size())}, scales);
  return {ops::Weight(type, shape, q, s), to_double(values)};
}

namespace {

using vk::Backend;

/// y (M, N) = x (M, K) W^T, W (N, K).
struct BlockProductSize {
  std::int64_t M, N, K;

  std::string text() const { return vkgpt::format("{}x{}x{}", M, N, K); }
};

/// Rows of W that are bound at once.
constexpr std::int64_t kSlicedRows = 128;

/// kManyRowsRounded: on matrix units, which take x of f32 rounded.
enum class Form {
  kForward,
  kForwardBias,
  kFewRows,
  kManyRows,
  kManyRowsRounded,
  kGelu,
  kInput,
  kInputGeluAdd
};
constexpr std::string_view kFormNames[] = {"nt",
                                           "nt bias",
                                           "nt by rows",
                                           "nt by many rows",
                                           "nt by many rows on matrices",
                                           "nt gelu",
                                           "nn",
                                           "nn gelu_grad accumulate"};

void block_forward(Trial& t, BlockType type, Form form, DType dtype, const BlockProductSize& s) {
  const Operand x = t.random({s.M, s.K}, 1, 1.0F, dtype);
  const BlockOperand w = random_blocks(t, type, {s.N, s.K}, 2);
  const Operand bias = t.random({s.N}, 3);
  const bool has_bias = form == Form::kForwardBias || form == Form::kGelu;
  const Vector y = linear_forward(x, w.values, has_bias ? View(bias) : View{}, s.M, s.N, s.K);
  if (form == Form::kGelu) {
    const ops::LinearGeluForward args{.x = x,
                                      .weight = w.weight,
                                      .bias = bias,
                                      .pre = t.output({s.M, s.N}, dtype),
                                      .y = t.output({s.M, s.N}, dtype)};
    ops::linear_gelu_forward(t.builder(), args);
    t.expect("pre", args.pre, y, rounding_bound(dtype));
    t.expect("y", args.y, gelu_forward(y), (dtype == DType::kF32 ? 1 : 4) * rounding_bound(dtype));
    return;
  }
  ops::LinearForward args{.x = x, .weight = w.weight, .y = t.output({s.M, s.N}, dtype)};
  if (form == Form::kFewRows) args.by_rows = ops::ByRows::kFew;
  if (form == Form::kManyRows || form == Form::kManyRowsRounded) args.by_rows = ops::ByRows::kMany;
  if (has_bias) args.bias = bias;
  ops::linear_forward(t.builder(), args);
  t.expect("y", args.y, y, 2 * rounding_bound(form == Form::kManyRowsRounded ? DType::kF16 : dtype));
}

void block_backward_input(Trial& t, BlockType type, Form form, DType dtype, const BlockProductSize& s) {
  const Operand dy = t.random({s.M, s.N}, 4, 3.0F, dtype);
  const BlockOperand w = random_blocks(t, type, {s.N, s.K}, 2);
  const Operand pre = t.random({s.M, s.K}, 5, 2.0F, dtype), old = t.random({s.M, s.K}, 7, 5.0F, dtype);
  const bool has_more = form == Form::kInputGeluAdd;
  ops::LinearBackwardInput args{.dy = dy,
                                .weight = w.weight,
                                .dx = has_more ? old.tensor : t.output({s.M, s.K}, dtype),
                                .accumulate = has_more};
  if (has_more) args.pre_gelu = pre;
  ops::linear_backward_input(t.builder(), args);
  Vector dx = matmul_nn(dy, w.values, s.M, s.K, s.N);
  if (has_more) dx = add(gelu_backward(dx, pre), old);
  t.expect("dx", args.dx, dx, 2 * rounding_bound(dtype));
}

/// The backends that read blocks, as the device is and taken for a GPU, and with bindings so small that rows
/// are cut.
std::vector<Device> devices_for(Form form, DType dtype, const BlockProductSize& s) {
  const auto sliced = static_cast<std::uint64_t>(kSlicedRows * 4 * std::max(s.N, s.K));
  constexpr auto kScalar = Backend::kScalar, kSimt = Backend::kSimt, kKhr = Backend::kKhr;
  std::vector<Device> devices = {{.name = "scalar", .backend = kScalar},
                                 {.name = "scalar as a GPU", .backend = kScalar, .is_gpu = true},
                                 {.name = "simt", .backend = kSimt}};
  if (form == Form::kManyRowsRounded) return {{.name = "khr as a GPU", .backend = kKhr, .is_gpu = true}};
  const bool is_rounded = form == Form::kManyRows && dtype == DType::kF32;
  devices.push_back(is_rounded ? Device{.name = "simt as a GPU", .backend = kSimt, .is_gpu = true}
                               : Device{.name = "as a GPU", .is_gpu = true});
  if (dtype == DType::kF16) devices.push_back({.name = "khr", .backend = kKhr});
  if (s.N > kSlicedRows && dtype == DType::kF32) {
    devices.push_back({.name = "scalar, sliced", .backend = kScalar, .max_binding_bytes = sliced});
    devices.push_back({.name = "simt, sliced", .backend = kSimt, .max_binding_bytes = sliced});
  }
  return devices;
}

}  // namespace

std::vector<Case> matmul_block_cases() {
  // Odd rows, one row, whole tiles, rows of W that are cut.
  constexpr BlockProductSize kOdd{7, 71, 192}, kRow{1, 70, 64}, kWhole{64, 64, 128}, kCut{9, 300, 64};
  std::vector<Case> cases;
  const auto add = [&](BlockType type, Form form, DType dtype, const BlockProductSize& s) {
    const auto build = form < Form::kInput ? block_forward : block_backward_input;
    const bool is_quick = &s == &kOdd && (form == Form::kForwardBias || form == Form::kInput);
    cases.push_back({.variant = vkgpt::format("{} {} {} {}", dtype_name(dtype), block_format(type).name,
                                              s.text(), kFormNames[static_cast<int>(form)]),
                     .dtype = form == Form::kManyRowsRounded ? DType::kF16 : dtype,
                     .quick = is_quick,
                     .devices = devices_for(form, dtype, s),
                     .build = [=](Trial& t) { build(t, type, form, dtype, s); }});
  };
  for (const BlockType type : kBlockTypes) {
    for (const DType dtype : {DType::kF32, DType::kF16}) {
      add(type, Form::kForwardBias, dtype, kOdd);
      add(type, Form::kInput, dtype, kOdd);
      add(type, Form::kFewRows, dtype, kRow);
      add(type, Form::kManyRows, dtype, kOdd);
      add(type, Form::kForward, dtype, kWhole);
      add(type, Form::kInput, dtype, kWhole);
    }
    add(type, Form::kManyRowsRounded, DType::kF32, kOdd);
    cases.back().has_own_kernel = type == BlockType::kQ8_0;
    add(type, Form::kForward, DType::kBF16, kOdd);
    add(type, Form::kInput, DType::kF32, kRow);
    add(type, Form::kForward, DType::kF32, kCut);
    add(type, Form::kInput, DType::kF32, kCut);
  }
  add(BlockType::kQ8_0, Form::kGelu, DType::kF32, kOdd);
  add(BlockType::kQ8_0, Form::kInputGeluAdd, DType::kF32, kOdd);
  add(BlockType::kQ8_0, Form::kFewRows, DType::kF32, kCut);
  add(BlockType::kQ8_0, Form::kManyRows, DType::kF32, kCut);
  add(BlockType::kNF4, Form::kManyRowsRounded, DType::kF32, kWhole);
  return cases;
}

}  // namespace vkgpt::check
