#include <array>
#include <format>
#include <optional>

#include "vkgpt/ops/matmul/matmul.hpp"

#include "cli/selftest/selftest_cases.hpp"
#include "reference/numbers.hpp"

namespace vkgpt::cli {
namespace {

using reference::random_floats;
using reference::rounded;
using reference::to_double;
using reference::Vector;

/// y (M, N) = x (M, K) W^T, W (N, K), and its gradients.
struct Size {
  std::int64_t M, N, K;

  std::size_t m() const { return static_cast<std::size_t>(M); }
  std::size_t n() const { return static_cast<std::size_t>(N); }
  std::size_t k() const { return static_cast<std::size_t>(K); }
};

/// Whole tiles of most kernels; tails of everything; one row, as decoding has it; sums that GPUs cut.
constexpr Size kAligned{128, 192, 64}, kOdd{67, 131, 53}, kOneRow{1, 192, 64}, kManyRows{2049, 70, 66};

/// What the kernels read: rounded.
struct Inputs {
  Inputs(const Size& s, DType dtype)
      : x(rounded(random_floats(s.m() * s.k(), 1), dtype)),
        weight(rounded(random_floats(s.n() * s.k(), 2), dtype)),
        bias(random_floats(s.n(), 3)),
        dy(rounded(random_floats(s.m() * s.n(), 4), dtype)),
        pre(rounded(random_floats(s.m() * s.k(), 5, 2.0F), dtype)),
        old_y(rounded(random_floats(s.m() * s.n(), 6), dtype)),
        old_dx(rounded(random_floats(s.m() * s.k(), 7), dtype)),
        old_dweight(random_floats(s.n() * s.k(), 8)) {}

  std::vector<float> x, weight, bias, dy, pre, old_y, old_dx, old_dweight;
};

std::string name(DType dtype, const char* form, const Size& s, const char* more) {
  return std::format("{} {} {}x{}x{}{}", dtype_name(dtype), form, s.M, s.N, s.K, more);
}

Vector forward_of(const Size& s, const Inputs& in, bool has_bias) {
  return reference::linear_forward(to_double(in.x), to_double(in.weight),
                                   has_bias ? to_double(in.bias) : Vector{}, s.m(), s.n(), s.k());
}

reference::LinearGradients backward_of(const Size& s, const Inputs& in) {
  return reference::linear_backward(to_double(in.dy), to_double(in.x), to_double(in.weight), s.m(), s.n(),
                                    s.k());
}

void forward(CaseList& list, DType dtype, const Size& s, bool has_bias, bool adds) {
  const Inputs in(s, dtype);
  const char* more = has_bias ? (adds ? " bias accumulate" : " bias") : (adds ? " accumulate" : "");
  OpCase& c = list.add(name(dtype, "nt", s, more));
  ops::LinearForward args{.x = c.input({s.M, s.K}, in.x, dtype),
                          .weight = c.input({s.N, s.K}, in.weight, dtype),
                          .y = adds ? c.input({s.M, s.N}, in.old_y, dtype) : c.output({s.M, s.N}, dtype),
                          .accumulate = adds};
  if (has_bias) args.bias = c.input({s.N}, in.bias);
  ops::linear_forward(c.builder(), args);
  const Vector y = forward_of(s, in, has_bias);
  c.expect(args.y, adds ? reference::add(y, to_double(in.old_y)) : y, rounding_bound(dtype));
}

void gelu_forward(CaseList& list, DType dtype, const Size& s) {
  const Inputs in(s, dtype);
  OpCase& c = list.add(name(dtype, "nt", s, " bias gelu"));
  const ops::LinearGeluForward args{.x = c.input({s.M, s.K}, in.x, dtype),
                                    .weight = c.input({s.N, s.K}, in.weight, dtype),
                                    .bias = c.input({s.N}, in.bias),
                                    .pre = c.output({s.M, s.N}, dtype),
                                    .y = c.output({s.M, s.N}, dtype)};
  ops::linear_gelu_forward(c.builder(), args);
  const Vector pre = forward_of(s, in, true);
  c.expect(args.pre, pre, rounding_bound(dtype));
  // Of sums that were rounded before.
  c.expect(args.y, reference::gelu_forward(pre), 4 * rounding_bound(dtype));
}

void backward_input(CaseList& list, DType dtype, const Size& s, bool has_gelu, bool adds) {
  const Inputs in(s, dtype);
  const char* more = has_gelu ? (adds ? " gelu_grad accumulate" : " gelu_grad") : (adds ? " accumulate" : "");
  OpCase& c = list.add(name(dtype, "nn", {s.M, s.K, s.N}, more));
  ops::LinearBackwardInput args{
      .dy = c.input({s.M, s.N}, in.dy, dtype),
      .weight = c.input({s.N, s.K}, in.weight, dtype),
      .dx = adds ? c.input({s.M, s.K}, in.old_dx, dtype) : c.output({s.M, s.K}, dtype),
      .accumulate = adds};
  if (has_gelu) args.pre_gelu = c.input({s.M, s.K}, in.pre, dtype);
  ops::linear_backward_input(c.builder(), args);
  Vector dx = backward_of(s, in).dx;
  if (has_gelu) dx = reference::gelu_backward(dx, to_double(in.pre));
  c.expect(args.dx, adds ? reference::add(dx, to_double(in.old_dx)) : dx, rounding_bound(dtype));
}

void backward_weight(CaseList& list, DType dtype, const Size& s, bool has_bias) {
  const Inputs in(s, dtype);
  OpCase& c = list.add(name(dtype, "tn", {s.N, s.K, s.M}, has_bias ? " row_sums" : ""));
  ops::LinearBackwardWeight args{.dy = c.input({s.M, s.N}, in.dy, dtype),
                                 .x = c.input({s.M, s.K}, in.x, dtype),
                                 .dweight = c.input({s.N, s.K}, in.old_dweight)};
  if (has_bias) args.dbias = c.input({s.N}, in.bias);
  ops::linear_backward_weight(c.builder(), args);
  const reference::LinearGradients expected = backward_of(s, in);
  c.expect(args.dweight, reference::add(expected.dweight, to_double(in.old_dweight)),
           rounding_bound(DType::kF32));
  if (has_bias) {
    c.expect(*args.dbias, reference::add(expected.dbias, to_double(in.bias)), rounding_bound(DType::kF32));
  }
}

}  // namespace

void matmul_cases(CaseList& list) {
  backward_weight(list, DType::kF32, kManyRows, true);
  for (const DType dtype : list.dtypes()) {
    forward(list, dtype, kOdd, true, false);
    gelu_forward(list, dtype, kAligned);
    backward_input(list, dtype, kAligned, false, false);
    backward_weight(list, dtype, kOdd, true);
    forward(list, dtype, kOneRow, true, false);
    // bf16 differs in conversions alone, and CPU drivers take long to build these kernels.
    if (dtype == DType::kBF16) continue;
    forward(list, dtype, kOdd, false, true);
    backward_input(list, dtype, kOdd, true, false);
    backward_input(list, dtype, kAligned, true, true);
    backward_weight(list, dtype, kAligned, false);
  }
}

}  // namespace vkgpt::cli
