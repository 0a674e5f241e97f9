#include "vkgpt/model/tensor_encoding.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/half.hpp"
#include "vkgpt/core/q8_0.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::model {
namespace {

constexpr std::array kEncodings = {TensorEncoding::kF32, TensorEncoding::kF16, TensorEncoding::kBF16,
                                   TensorEncoding::kQ8_0};

std::vector<std::byte> encoded(std::span<const float> values, TensorEncoding encoding) {
  std::vector<std::byte> all;
  encode_tensor("w", values, encoding,
                [&](std::span<const std::byte> bytes) { all.insert(all.end(), bytes.begin(), bytes.end()); });
  return all;
}

TEST(TensorEncoding, NamesReturn) {
  for (const TensorEncoding encoding : kEncodings) {
    EXPECT_EQ(encoding_from_name(encoding_name(encoding)), encoding);
  }
}

TEST(TensorEncoding, EncodesLongTensorsPieceByPiece) {
  std::vector<float> values((1 << 16) + 96);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  for (const TensorEncoding encoding : kEncodings) {
    const std::vector<std::byte> bytes = encoded(values, encoding);
    ASSERT_EQ(bytes.size(), encoded_size(encoding, static_cast<std::int64_t>(values.size())));
    for (std::size_t i = 0; i < values.size(); ++i) {
      float value = 0;
      std::uint16_t word = 0;
      if (encoding == TensorEncoding::kF32) {
        std::memcpy(&value, &bytes[4 * i], 4);
        ASSERT_EQ(value, values[i]) << i;
      } else if (encoding == TensorEncoding::kQ8_0) {
        Q80Block block;
        std::memcpy(&block, &bytes[i / 32 * sizeof(block)], sizeof(block));
        ASSERT_NEAR(f16_to_float(block.scale) * static_cast<float>(block.values[i % 32]), values[i], 0.005F);
      } else {
        std::memcpy(&word, &bytes[2 * i], 2);
        ASSERT_EQ(word,
                  encoding == TensorEncoding::kF16 ? float_to_f16(values[i]) : float_to_bf16(values[i]));
      }
    }
  }
}

TEST(TensorEncoding, RefusesWhatItCannotHold) {
  std::vector<float> values(32, 1.0F);
  values[9] = 65519;
  EXPECT_NO_THROW(encoded(values, TensorEncoding::kF16));
  values[9] = -65520;
  expect_error([&] { encoded(values, TensorEncoding::kF16); },
               "w holds -65520, which f16 cannot express; choose --dtype f32 or bf16");
  EXPECT_NO_THROW(encoded(values, TensorEncoding::kBF16));
  EXPECT_NO_THROW(encoded(values, TensorEncoding::kQ8_0));
  values[9] = -1e8F;
  expect_error([&] { encoded(values, TensorEncoding::kQ8_0); }, "w holds -1e+08, which q8_0 cannot express");
  values[9] = std::numeric_limits<float>::max();
  expect_error([&] { encoded(values, TensorEncoding::kBF16); }, "bf16 cannot express; choose --dtype f32");
  EXPECT_NO_THROW(encoded(values, TensorEncoding::kF32));
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    values[9] = bad;
    for (const TensorEncoding encoding : kEncodings) {
      expect_error([&] { encoded(values, encoding); }, "w holds an infinity or NaN");
    }
  }
}

}  // namespace
}  // namespace vkgpt::model
