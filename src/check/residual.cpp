#include "vkgpt/ops/residual.hpp"

#include "vkgpt/check/op_table.hpp"

namespace vkgpt::check {

/// The stream plus a branch, and the sum of two branches.
std::vector<Case> residual_cases() {
  return elementwise_cases("", [](Trial& t, DType dtype, std::int64_t n) {
    const Operand stream = t.random({n}, 1), x = t.random({n}, 1, 1.0F, dtype);
    const Operand y = t.random({n}, 2, 1.0F, dtype);
    const plan::Tensor sum = t.output({n}), z = t.output({n}, dtype);
    ops::residual_forward(t.builder(), stream, y, sum);
    ops::residual_forward(t.builder(), x, y, z);
    if (t.is_timed()) return;
    t.expect("stream + y", sum, add(stream, y), kFp32Nmse);
    t.expect("x + y", z, add(x, y), rounding_bound(dtype));
  });
}

}  // namespace vkgpt::check
