#pragma once

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/dtype.hpp"

#include "gpu_context.hpp"
#include "reference/compare.hpp"

namespace vkgpt::test {

/// A fixture of ops that have a variant for every element type of activations. Instantiate it with
/// `kElementTypes` and `element_type_name`.
class ElementTypeTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!stores(GetParam())) GTEST_SKIP() << "no 16-bit storage";
  }
};

inline const auto kElementTypes = testing::Values(DType::kF32, DType::kF16, DType::kBF16);

inline std::string element_type_name(const testing::TestParamInfo<DType>& info) {
  return std::string(dtype_name(info.param));
}

/// Bound of the NMSE for an output that is rounded once from fp32: at most half a unit in the last place,
/// 2^-11 of the value in f16 and 2^-8 in bf16, squared.
inline double rounded_nmse(DType dtype) {
  if (dtype == DType::kF32) return reference::kFp32Nmse;
  return dtype == DType::kF16 ? 0x1.1p-22 : 0x1.1p-16;
}

}  // namespace vkgpt::test
