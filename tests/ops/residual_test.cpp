#include "vkgpt/ops/residual.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/matmul.hpp"

namespace vkgpt::ops {
namespace {

class GpuResidual : public test::ElementTypeTest {};

// Both the stream plus a branch and the sum of two branches.
TEST_P(GpuResidual, AddsElementByElement) {
  const DType dtype = GetParam();
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const Shape& shape : {Shape{1}, Shape{3, 5}, Shape{64}, Shape{2, 1025}, Shape{7, 11, 100}}) {
      SCOPED_TRACE(testing::Message() << variant.name << " " << shape.to_string());
      const auto count = static_cast<std::size_t>(shape.numel());
      const std::vector<float> stream = reference::random_floats(count, 1);
      const std::vector<float> x = test::rounded(stream, dtype);
      const std::vector<float> y = test::rounded(reference::random_floats(count, 2), dtype);
      test::OpRunner runner(variant.caps);
      const plan::Tensor tstream = runner.input(shape, stream), tx = runner.input(shape, x, dtype),
                         ty = runner.input(shape, y, dtype);
      const plan::Tensor tsum = runner.output(shape), tz = runner.output(shape, dtype);
      residual_forward(runner.builder(), tstream, ty, tsum);
      residual_forward(runner.builder(), tx, ty, tz);
      runner.run();
      reference::expect_close(runner.floats(tsum),
                              reference::add(reference::to_double(stream), reference::to_double(y)));
      reference::expect_close(runner.floats(tz),
                              reference::add(reference::to_double(x), reference::to_double(y)),
                              test::rounded_nmse(dtype));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuResidual, test::kElementTypes, test::element_type_name);

}  // namespace
}  // namespace vkgpt::ops
