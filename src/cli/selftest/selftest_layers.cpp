#include <array>
#include <format>
#include <string_view>
#include <vector>

#include "vkgpt/ops/activation.hpp"
#include "vkgpt/ops/attention/qk_norm.hpp"
#include "vkgpt/ops/attention/rope.hpp"
#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/dropout.hpp"
#include "vkgpt/ops/embedding.hpp"
#include "vkgpt/ops/norm.hpp"
#include "vkgpt/ops/residual.hpp"
#include "vkgpt/ops/row_select.hpp"
#include "vkgpt/ops/softcap.hpp"

#include "cli/selftest/selftest_cases.hpp"
#include "reference/activation.hpp"
#include "reference/dropout.hpp"
#include "reference/embedding.hpp"
#include "reference/layernorm.hpp"
#include "reference/numbers.hpp"
#include "reference/qk_norm.hpp"
#include "reference/rmsnorm.hpp"
#include "reference/rope.hpp"
#include "reference/softcap.hpp"

namespace vkgpt::cli {
namespace {

using reference::random_floats;
using reference::rounded;
using reference::to_double;
using reference::Vector;

constexpr double kF32Bound = reference::kFp32Nmse;

struct RowSize {
  std::int64_t rows, C;

  std::size_t size() const { return static_cast<std::size_t>(rows * C); }
};

constexpr std::array kRowSizes = {RowSize{67, 101}, RowSize{16, 256}};

void layernorm(CaseList& list, DType dtype, const RowSize& s) {
  const auto rows = static_cast<std::size_t>(s.rows), C = static_cast<std::size_t>(s.C);
  const std::vector<float> x = random_floats(s.size(), 1, 2.0F), weight = random_floats(C, 2),
                           bias = random_floats(C, 3), branch = rounded(random_floats(s.size(), 4), dtype),
                           dy = rounded(random_floats(s.size(), 5), dtype), dx = random_floats(s.size(), 6),
                           dweight = random_floats(C, 7);
  OpCase& c = list.add(std::format("{} layernorm {}x{} residual", dtype_name(dtype), s.rows, s.C));
  const Shape shape{s.rows, s.C};
  const plan::Tensor w = c.input({s.C}, weight);
  const ops::NormForward forward{
      .x = c.input(shape, x),
      .weight = w,
      .bias = c.input({s.C}, bias),
      .y = c.output(shape, dtype),
      .mean = c.output({s.rows}),
      .rstd = c.output({s.rows}),
      .residual = ops::NormResidual{.branch = c.input(shape, branch, dtype), .sum = c.output(shape)}};
  ops::norm_forward(c.builder(), forward);
  const reference::ResidualLayernorm expected = reference::residual_layernorm_forward(
      to_double(x), to_double(branch), to_double(weight), to_double(bias), rows, C);
  c.expect(forward.residual->sum, expected.residual, kF32Bound);
  c.expect(forward.y, expected.norm.y, rounding_bound(dtype));

  const ops::NormBackward backward{.dy = c.input(shape, dy, dtype),
                                   .x = forward.residual->sum,
                                   .weight = w,
                                   .mean = forward.mean,
                                   .rstd = forward.rstd,
                                   .dx = c.input(shape, dx),
                                   .dweight = c.input({s.C}, dweight),
                                   .dbias = c.input({s.C}, dweight),
                                   .accumulate = true};
  ops::norm_backward(c.builder(), backward);
  const reference::LayernormGradients gradients = reference::residual_layernorm_backward(
      to_double(dy), to_double(dx), expected.residual, to_double(weight), expected.norm.mean,
      expected.norm.rstd, rows, C);
  c.expect(backward.dx, gradients.dx, kF32Bound);
  c.expect(*backward.dweight, reference::add(gradients.dweight, to_double(dweight)), kF32Bound);
  c.expect(*backward.dbias, reference::add(gradients.dbias, to_double(dweight)), kF32Bound);
}

void rmsnorm(CaseList& list, DType dtype, const RowSize& s) {
  const auto rows = static_cast<std::size_t>(s.rows), C = static_cast<std::size_t>(s.C);
  const std::vector<float> x = random_floats(s.size(), 1, 2.0F), weight = random_floats(C, 2),
                           dy = rounded(random_floats(s.size(), 5), dtype), dweight = random_floats(C, 7);
  OpCase& c = list.add(std::format("{} rmsnorm {}x{}", dtype_name(dtype), s.rows, s.C));
  const Shape shape{s.rows, s.C};
  const plan::Tensor tx = c.input(shape, x), w = c.input({s.C}, weight);
  const ops::NormForward forward{.kind = ops::NormKind::kRmsNorm,
                                 .x = tx,
                                 .weight = w,
                                 .y = c.output(shape, dtype),
                                 .rstd = c.output({s.rows})};
  ops::norm_forward(c.builder(), forward);
  const ops::NormBackward backward{.kind = ops::NormKind::kRmsNorm,
                                   .dy = c.input(shape, dy, dtype),
                                   .x = tx,
                                   .weight = w,
                                   .rstd = forward.rstd,
                                   .dx = c.output(shape),
                                   .dweight = c.input({s.C}, dweight)};
  ops::norm_backward(c.builder(), backward);
  const reference::Rmsnorm expected =
      reference::rmsnorm_forward(to_double(x), to_double(weight), rows, C, double{forward.eps});
  const reference::RmsnormGradients gradients =
      reference::rmsnorm_backward(to_double(dy), to_double(x), to_double(weight), expected.rstd, rows, C);
  c.expect(forward.y, expected.y, rounding_bound(dtype));
  c.expect(forward.rstd, expected.rstd, kF32Bound);
  c.expect(backward.dx, gradients.dx, kF32Bound);
  c.expect(*backward.dweight, reference::add(gradients.dweight, to_double(dweight)), kF32Bound);
}

/// qkv of grouped heads.
constexpr std::int64_t kB = 2, kT = 19, kNH = 4, kNKV = 2, kHS = 32, kWidth = (kNH + 2 * kNKV) * kHS;
constexpr std::size_t kQkvElements = kB * kT * kWidth;
constexpr reference::AttentionShape kHeads{.B = kB, .T = kT, .C = kNH * kHS, .NH = kNH, .NKV = kNKV};

}  // namespace

void embedding_cases(CaseList& list) {
  constexpr std::int64_t B = 2, T = 33, C = 100, Vp = 65;
  const std::vector<std::int32_t> tokens = reference::random_tokens(B * T, 1, Vp);
  const std::vector<float> wte = random_floats(Vp * C, 2), wpe = random_floats(T * C, 3),
                           dx = random_floats(B * T * C, 4);
  OpCase& c = list.add("f32 2x33x100");
  const plan::Tensor ids = c.input({B, T}, tokens);
  const plan::Tensor table = c.input({Vp, C}, wte), positions = c.input({T, C}, wpe);
  const ops::EmbeddingForward forward{
      .tokens = ids, .wte = table, .wpe = positions, .x = c.output({B, T, C})};
  const ops::EmbeddingBackward backward{.dx = c.input({B, T, C}, dx),
                                        .tokens = ids,
                                        .dwte = c.input({Vp, C}, wte),
                                        .dwpe = c.input({T, C}, wpe)};
  const std::vector<std::int32_t> last(tokens.begin(), tokens.begin() + B);
  const ops::EmbeddingDecode decode{
      .tokens = c.input({B}, last), .wte = table, .wpe = positions, .x = c.output({B, C})};
  ops::embedding_forward(c.builder(), forward);
  ops::embedding_backward(c.builder(), backward);
  ops::embedding_decode(c.builder(), decode);
  c.step.position = 7;
  c.expect(forward.x, reference::embedding_forward(tokens, to_double(wte), to_double(wpe), B, T, C),
           kF32Bound);
  const reference::EmbeddingGradients gradients =
      reference::embedding_backward(to_double(dx), tokens, B, T, C, Vp, T);
  c.expect(*backward.dwte, reference::add(gradients.dwte, to_double(wte)), kF32Bound);
  c.expect(*backward.dwpe, reference::add(gradients.dwpe, to_double(wpe)), kF32Bound);
  const std::vector<float> row(wpe.begin() + 7 * C, wpe.begin() + 8 * C);
  c.expect(decode.x, reference::embedding_forward(last, to_double(wte), to_double(row), B, 1, C), kF32Bound);
}

void norm_cases(CaseList& list) {
  for (const DType dtype : list.dtypes()) {
    for (const RowSize& size : kRowSizes) {
      layernorm(list, dtype, size);
      rmsnorm(list, dtype, size);
    }
  }
}

void qk_norm_cases(CaseList& list) {
  const std::vector<float> q_weight = random_floats(kHS, 2), k_weight = random_floats(kHS, 3);
  for (const DType dtype : list.dtypes()) {
    const std::vector<float> qkv = rounded(random_floats(kQkvElements, 1, 2.0F), dtype);
    const std::vector<float> dout = rounded(random_floats(kQkvElements, 4), dtype);
    OpCase& c = list.add(std::format("{} {}x{} heads 4/2 of 32", dtype_name(dtype), kB, kT));
    const Shape shape{kB, kT, kWidth};
    const plan::Tensor in = c.input(shape, qkv, dtype);
    const plan::Tensor q = c.input({kHS}, q_weight), k = c.input({kHS}, k_weight);
    const ops::QkNormForward forward{.qkv = in,
                                     .q_weight = q,
                                     .k_weight = k,
                                     .out = c.output(shape, dtype),
                                     .rstd = c.output({kB, kT, kNH + kNKV}),
                                     .n_head = kNH,
                                     .n_kv_head = kNKV};
    const ops::QkNormBackward backward{.dout = c.input(shape, dout, dtype),
                                       .qkv = in,
                                       .q_weight = q,
                                       .k_weight = k,
                                       .rstd = forward.rstd,
                                       .dqkv = c.output(shape, dtype),
                                       .dq_weight = c.input({kHS}, q_weight),
                                       .dk_weight = c.input({kHS}, k_weight),
                                       .n_head = kNH,
                                       .n_kv_head = kNKV};
    ops::qk_norm_forward(c.builder(), forward);
    ops::qk_norm_backward(c.builder(), backward);
    const double eps = double{forward.eps};
    c.expect(
        forward.out,
        reference::qk_norm_forward(to_double(qkv), to_double(q_weight), to_double(k_weight), kHeads, eps).out,
        rounding_bound(dtype));
    const reference::QkNormGradients gradients = reference::qk_norm_backward(
        to_double(dout), to_double(qkv), to_double(q_weight), to_double(k_weight), kHeads, eps);
    c.expect(backward.dqkv, gradients.dqkv, rounding_bound(dtype));
    c.expect(*backward.dq_weight, reference::add(gradients.dq_weight, to_double(q_weight)), kF32Bound);
    c.expect(*backward.dk_weight, reference::add(gradients.dk_weight, to_double(k_weight)), kF32Bound);
  }
}

void rope_cases(CaseList& list) {
  for (const DType dtype : list.dtypes()) {
    const std::vector<float> qkv = rounded(random_floats(kQkvElements, 1, 2.0F), dtype);
    OpCase& c = list.add(std::format("{} {}x{} heads 4/2 of 32", dtype_name(dtype), kB, kT));
    const Shape shape{kB, kT, kWidth};
    const plan::Tensor table = ops::rope_table(c.builder(), kT, kHS, {});
    const plan::Tensor there = c.input(shape, qkv, dtype), back = c.input(shape, qkv, dtype);
    ops::rope_forward(c.builder(), {.qkv = there, .table = table, .n_head = kNH, .n_kv_head = kNKV});
    ops::rope_backward(c.builder(), {.dqkv = back, .table = table, .n_head = kNH, .n_kv_head = kNKV});
    c.expect(there, reference::rope_forward(to_double(qkv), kHeads, {}), rounding_bound(dtype));
    c.expect(back, reference::rope_backward(to_double(qkv), kHeads, {}), rounding_bound(dtype));
  }
}

void activation_cases(CaseList& list) {
  struct Kind {
    ops::Activation kind;
    std::string_view name;
    Vector (*forward)(reference::View);
    Vector (*backward)(reference::View, reference::View);
  };
  const std::array kinds = {
      Kind{ops::Activation::kGelu, "gelu", reference::gelu_forward, reference::gelu_backward},
      Kind{ops::Activation::kGeluErf, "gelu_erf", reference::gelu_erf_forward, reference::gelu_erf_backward},
      Kind{ops::Activation::kReluSquared, "relu_squared", reference::relu_squared_forward,
           reference::relu_squared_backward}};
  constexpr std::int64_t kRows = 19, kF = 103;
  for (const DType dtype : list.dtypes()) {
    const std::vector<float> x = rounded(random_floats(kRows * 2 * kF, 1, 3.0F), dtype);
    const std::vector<float> dy = rounded(random_floats(kRows * 2 * kF, 2), dtype);
    const Shape shape{kRows, 2 * kF};
    for (const Kind& kind : kinds) {
      OpCase& c = list.add(std::format("{} {} {}x{}", dtype_name(dtype), kind.name, kRows, 2 * kF));
      const plan::Tensor tx = c.input(shape, x, dtype), tdy = c.input(shape, dy, dtype);
      const plan::Tensor y = c.output(shape, dtype), dx = c.output(shape, dtype);
      ops::activation_forward(c.builder(), kind.kind, tx, y);
      ops::activation_backward(c.builder(), kind.kind, tdy, tx, dx);
      c.expect(y, kind.forward(to_double(x)), rounding_bound(dtype));
      c.expect(dx, kind.backward(to_double(dy), to_double(x)), rounding_bound(dtype));
    }
    OpCase& c = list.add(std::format("{} swiglu {}x{}", dtype_name(dtype), kRows, kF));
    const std::vector<float> upstream(dy.begin(), dy.begin() + kRows * kF);
    const plan::Tensor tx = c.input(shape, x, dtype), tdy = c.input({kRows, kF}, upstream, dtype);
    const plan::Tensor y = c.output({kRows, kF}, dtype), dx = c.output(shape, dtype);
    ops::swiglu_forward(c.builder(), tx, y);
    ops::swiglu_backward(c.builder(), tdy, tx, dx);
    c.expect(y, reference::swiglu_forward(to_double(x), kRows, kF), rounding_bound(dtype));
    c.expect(dx, reference::swiglu_backward(to_double(upstream), to_double(x), kRows, kF),
             rounding_bound(dtype));
  }
}

void elementwise_cases(CaseList& list) {
  constexpr std::int64_t B = 3, T = 7, C = 67, kCount = B * T * C;
  for (const DType dtype : list.dtypes()) {
    const std::vector<float> x = rounded(random_floats(kCount, 1, 3.0F), dtype);
    const std::vector<float> z = rounded(random_floats(kCount, 2), dtype);
    OpCase& c = list.add(std::format("{} residual, softcap, row_select, cast", dtype_name(dtype)));
    const Shape shape{B, T, C};
    const plan::Tensor tx = c.input(shape, x, dtype), tz = c.input(shape, z, dtype);
    const plan::Tensor sum = c.output(shape, dtype), capped = c.output(shape, dtype);
    const plan::Tensor row = c.output({B, C}, dtype), wide = c.output(shape);
    ops::residual_forward(c.builder(), tx, tz, sum);
    ops::softcap_forward(c.builder(), tx, capped, 2.5);
    ops::row_select_forward(c.builder(), tx, row);
    ops::cast(c.builder(), tx, wide, 0.75F);
    c.step.token_count = 5;
    c.expect(sum, reference::add(to_double(x), to_double(z)), rounding_bound(dtype));
    c.expect(capped, reference::softcap_forward(to_double(x), 2.5), rounding_bound(dtype));
    Vector selected, scaled = to_double(x);
    for (std::int64_t b = 0; b < B; ++b) {
      const auto first = scaled.begin() + (b * T + 4) * C;
      selected.insert(selected.end(), first, first + C);
    }
    for (double& value : scaled) value *= 0.75;
    c.expect(row, selected, rounding_bound(dtype));
    c.expect(wide, scaled, kF32Bound);
    if (dtype == DType::kF32) continue;
    const plan::Tensor narrow = c.output(shape, dtype);
    ops::cast(c.builder(), wide, narrow);
    c.expect(narrow, scaled, rounding_bound(dtype));
  }
}

void dropout_cases(CaseList& list) {
  constexpr std::int64_t kCount = 1001;
  constexpr ops::Dropout kPlace{.p = 0.3, .site = 0xabcdef};
  for (const DType dtype : list.dtypes()) {
    const std::vector<float> x = rounded(random_floats(kCount, 1, 4.0F), dtype);
    OpCase& c = list.add(std::format("{} {}", dtype_name(dtype), kCount));
    c.step = {.seed_lo = 0x9abcdef0, .seed_hi = 0x12345678, .dropout_step = 7};
    const plan::Tensor y = c.output({kCount}, dtype);
    ops::dropout(c.builder(), c.input({kCount}, x, dtype), y, kPlace);
    c.expect(y, reference::dropout_forward(to_double(x), kPlace.p, {0x123456789abcdef0, kPlace.site, 7}),
             rounding_bound(dtype));
  }
}

}  // namespace vkgpt::cli
