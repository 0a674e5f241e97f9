#include "vkgpt/ops/residual.hpp"

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

/// The stream plus a branch, and the sum of two branches.
std::vector<Case> residual_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const Shape& shape : {Shape{1}, Shape{3, 5}, Shape{64}, Shape{2, 1025}, Shape{7, 11, 100}}) {
      cases.push_back({.variant = vkgpt::format("{} {}", dtype_name(dtype), shape.to_string()),
                       .dtype = dtype,
                       .quick = shape.numel() == 2050,
                       .devices = folded_devices(4096),
                       .build = [dtype, shape](Trial& t) {
                         const Operand stream = t.random(shape, 1), x = t.random(shape, 1, 1.0F, dtype);
                         const Operand y = t.random(shape, 2, 1.0F, dtype);
                         const plan::Tensor sum = t.output(shape), z = t.output(shape, dtype);
                         ops::residual_forward(t.builder(), stream, y, sum);
                         ops::residual_forward(t.builder(), x, y, z);
                         t.expect("stream + y", sum, add(stream, y), kFp32Nmse);
                         t.expect("x + y", z, add(x, y), rounding_bound(dtype));
                       }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check
