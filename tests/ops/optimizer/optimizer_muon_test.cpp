#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

constexpr Muon kMuon;

TEST(ReferenceMuon, BringsSingularValuesNearOne) {
  // A diagonal matrix keeps its form, and its singular values are in sight.
  const std::vector<double> g{3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.2};
  const std::vector<double> x = check::newton_schulz(g, 3, 3);
  for (std::size_t i = 0; i < 9; ++i) {
    if (i % 4 == 0) {
      EXPECT_NEAR(x[i], 1.0, 0.35);
    } else {
      EXPECT_EQ(x[i], 0.0);
    }
  }
}

TEST(OptimizerMuon, AMatrixOutsideTheArenasIsRefused) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("update");
  const plan::Tensor arena = builder.persistent("arena", {64}, plan::Role::kParameters);
  const plan::Tensor norm = builder.persistent("norm", {4}, plan::Role::kStatistics, DType::kU32);
  const std::vector<MuonMatrix> matrices{{32, 8, 5}};
  EXPECT_THROW(
      optimizer_muon(
          builder,
          {.weights = arena, .gradients = arena, .momentum = arena, .norm = norm, .matrices = matrices},
          kMuon),
      CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
