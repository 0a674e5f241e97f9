#include "vkgpt/ops/residual.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/matmul.hpp"

namespace vkgpt::ops {
namespace {

TEST(GpuResidual, AddsElementByElement) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const Shape& shape : {Shape{1}, Shape{3, 5}, Shape{64}, Shape{2, 1025}, Shape{7, 11, 100}}) {
      SCOPED_TRACE(testing::Message() << variant.name << " " << shape.to_string());
      const auto count = static_cast<std::size_t>(shape.numel());
      const std::vector<float> x = reference::random_floats(count, 1), y = reference::random_floats(count, 2);
      test::OpRunner runner(variant.caps);
      const plan::Tensor tx = runner.input(shape, x), ty = runner.input(shape, y), tz = runner.output(shape);
      residual_forward(runner.builder(), tx, ty, tz);
      runner.run();
      reference::expect_close(runner.floats(tz),
                              reference::add(reference::to_double(x), reference::to_double(y)));
    }
  }
}

}  // namespace
}  // namespace vkgpt::ops
