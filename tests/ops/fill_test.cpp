#include "vkgpt/ops/fill.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

TEST(GpuFill, SetsEveryWordAndNoOther) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(1024)) {
    for (const std::int64_t n : {1, 7, 64, 257, 5000}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " words");
      test::OpRunner runner(variant.caps);
      const plan::Tensor filled = runner.output({n}, DType::kU32), zeroed = runner.output({n});
      fill(runner.builder(), filled, 0xdeadbeef);
      zero(runner.builder(), zeroed);
      runner.run();
      EXPECT_EQ(runner.words(filled), std::vector<std::uint32_t>(static_cast<std::size_t>(n), 0xdeadbeef));
      EXPECT_EQ(runner.words(zeroed), std::vector<std::uint32_t>(static_cast<std::size_t>(n), 0));
    }
  }
}

TEST(GpuFill, SetsEvery16BitElementAndNoOther) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  for (const test::CapsVariant& variant : test::caps_variants_folded(1024)) {
    for (const std::int64_t n : {1, 7, 64, 257, 2001}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements");
      test::OpRunner runner(variant.caps);
      const plan::Tensor filled = runner.output({n}, DType::kF16);
      const plan::Tensor zeroed = runner.output({n}, DType::kBF16);
      fill(runner.builder(), filled, 0x3e00);
      zero(runner.builder(), zeroed);
      runner.run();
      EXPECT_EQ(runner.floats(filled), std::vector<float>(static_cast<std::size_t>(n), 1.5F));
      EXPECT_EQ(runner.floats(zeroed), std::vector<float>(static_cast<std::size_t>(n), 0.0F));
    }
  }
}

}  // namespace
}  // namespace vkgpt::ops
