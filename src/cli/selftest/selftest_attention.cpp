#include <format>

#include "vkgpt/ops/attention/attention.hpp"

#include "cli/selftest/selftest_cases.hpp"
#include "reference/attention.hpp"
#include "reference/dropout.hpp"
#include "reference/numbers.hpp"

namespace vkgpt::cli {
namespace {

using reference::random_floats;
using reference::rounded;
using reference::to_double;
using reference::Vector;

struct Size {
  DType dtype;
  std::int64_t B, T, NH, NKV, HS, window = 0;
  ops::Dropout dropout = {};

  std::int64_t width() const { return (NH + 2 * NKV) * HS; }
  reference::AttentionShape shape() const {
    const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
    return {.B = size(B),
            .T = size(T),
            .C = size(NH * HS),
            .NH = size(NH),
            .NKV = size(NKV),
            .window = size(window)};
  }
  std::string text() const {
    std::string text = std::format("{} {}x{} heads {}/{} of {}", dtype_name(dtype), B, T, NH, NKV, HS);
    if (window != 0) text += std::format(" window {}", window);
    if (dropout.p != 0) text += " dropout";
    return text;
  }
};

constexpr ops::StepParams kStep{.seed_lo = 0x12345678, .seed_hi = 0x9abcdef0, .dropout_step = 77};

/// Scores, probabilities and their gradients may be rounded to the type on the way, in gradients several
/// times.
double output_bound(DType dtype) {
  return dtype == DType::kF32 ? reference::kFp32Nmse : 4 * rounding_bound(dtype);
}
double gradient_bound(DType dtype) {
  return dtype == DType::kF32 ? reference::kFp32Nmse : 40 * rounding_bound(dtype);
}

void both_passes(CaseList& list, const Size& s) {
  const std::size_t rows = static_cast<std::size_t>(s.B * s.T), C = s.shape().C;
  const std::vector<float> qkv =
      rounded(random_floats(rows * static_cast<std::size_t>(s.width()), 1, 2.0F), s.dtype);
  const std::vector<float> dout = rounded(random_floats(rows * C, 2), s.dtype);
  reference::ProbabilityMask mask;
  if (s.dropout.p > 0) {
    mask = reference::probability_mask(s.dropout.p, {std::uint64_t{kStep.seed_hi} << 32 | kStep.seed_lo,
                                                     s.dropout.site, kStep.dropout_step});
  }
  const reference::Attention expected = reference::attention_forward(to_double(qkv), s.shape(), mask);

  OpCase& c = list.add(s.text());
  c.step = kStep;
  const Shape wide{s.B, s.T, s.width()}, narrow{s.B, s.T, s.NH * s.HS};
  const plan::Tensor in = c.input(wide, qkv, s.dtype), dy = c.input(narrow, dout, s.dtype);
  const plan::Tensor out = c.output(narrow, s.dtype), lse = c.output({s.B, s.NH, s.T});
  const plan::Tensor dqkv = c.output(wide, s.dtype);
  ops::attention_forward(c.builder(), {.qkv = in,
                                       .out = out,
                                       .lse = lse,
                                       .n_head = s.NH,
                                       .n_kv_head = s.NKV,
                                       .window = s.window,
                                       .dropout = s.dropout});
  ops::attention_backward(c.builder(), {.dout = dy,
                                        .qkv = in,
                                        .out = out,
                                        .lse = lse,
                                        .dqkv = dqkv,
                                        .n_head = s.NH,
                                        .n_kv_head = s.NKV,
                                        .window = s.window,
                                        .dropout = s.dropout});
  c.expect(out, expected.out, output_bound(s.dtype));
  c.expect(lse, expected.lse, output_bound(s.dtype));
  c.expect(dqkv, reference::attention_backward(to_double(dout), to_double(qkv), s.shape(), mask),
           gradient_bound(s.dtype));
}

/// The last position of a sequence, decoded after the others filled the cache.
void decoding(CaseList& list, DType dtype) {
  constexpr std::int64_t B = 2, T = 21, NH = 4, NKV = 2, HS = 32;
  const Size s{dtype, B, T, NH, NKV, HS};
  const auto width = static_cast<std::size_t>(s.width()), C = static_cast<std::size_t>(NH * HS);
  const std::vector<float> all = rounded(random_floats(B * T * width, 3, 2.0F), dtype);
  std::vector<float> prompt, last;
  Vector expected;
  const Vector full = reference::attention_forward(to_double(all), s.shape()).out;
  for (std::size_t b = 0; b < B; ++b) {
    const auto row = all.begin() + static_cast<std::ptrdiff_t>(b * T * width);
    const auto split = row + static_cast<std::ptrdiff_t>((T - 1) * width);
    prompt.insert(prompt.end(), row, split);
    last.insert(last.end(), split, split + static_cast<std::ptrdiff_t>(width));
    const auto out = full.begin() + static_cast<std::ptrdiff_t>((b * T + T - 1) * C);
    expected.insert(expected.end(), out, out + static_cast<std::ptrdiff_t>(C));
  }
  OpCase& c = list.add(std::format("{} decode", dtype_name(dtype)));
  c.step.position = T - 1;
  const Shape cache{B, NKV, T, HS};
  const ops::AttentionDecode args{.qkv = c.input({B, 1, s.width()}, last, dtype),
                                  .k_cache = c.output(cache, dtype),
                                  .v_cache = c.output(cache, dtype),
                                  .out = c.output({B, 1, NH * HS}, dtype),
                                  .n_head = NH,
                                  .n_kv_head = NKV};
  ops::attention_cache_fill(c.builder(), {.qkv = c.input({B, T - 1, s.width()}, prompt, dtype),
                                          .k_cache = args.k_cache,
                                          .v_cache = args.v_cache,
                                          .n_head = NH,
                                          .n_kv_head = NKV});
  ops::attention_decode(c.builder(), args);
  c.expect(args.out, expected, output_bound(dtype));
}

}  // namespace

void attention_cases(CaseList& list) {
  for (const DType dtype : list.dtypes()) {
    both_passes(list, {.dtype = dtype, .B = 1, .T = 96, .NH = 2, .NKV = 2, .HS = 64});
    if (dtype != DType::kBF16) {
      both_passes(list, {.dtype = dtype, .B = 2, .T = 70, .NH = 4, .NKV = 2, .HS = 16, .window = 23});
    }
    decoding(list, dtype);
  }
  const ops::Dropout dropout{.p = 0.25, .site = 5};
  const DType small = list.dtypes().size() > 1 ? DType::kF16 : DType::kF32;
  both_passes(list, {.dtype = small, .B = 1, .T = 33, .NH = 3, .NKV = 1, .HS = 64, .dropout = dropout});
}

}  // namespace vkgpt::cli
