#include "vkgpt/model/gguf_writer.hpp"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "support/expect_error.hpp"
#include "support/faulty_file_system.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

// The contents of tools/golden/make_gguf_golden.py.
std::vector<float> q8_0_rows() {
  std::vector<float> x(6 * 32);
  for (int i = 0; i < 32; ++i) {
    const auto at = [&](int block) -> float& { return x[static_cast<std::size_t>(32 * block + i)]; };
    at(0) = static_cast<float>(i - 16) + 0.5F;
    at(2) = static_cast<float>(i * 7919 % 2001 - 1000) / 64;
    at(3) = static_cast<float>((i * 104729 % 4001 - 2000) / 3.0);
    at(4) = static_cast<float>(i - 11) * 0x1p-120F;
    at(5) = static_cast<float>(i * 31 % 64 - 32) * 31250;
  }
  x[31] = 127;
  return x;
}

void write_container(const Path& path) {
  const std::vector<GgufEntry> metadata = {
      {"general.architecture", std::string("llama")},
      {"general.name", std::string("container")},
      {"u32", std::uint32_t{4'000'000'000}},
      {"f32", 1e-5F},
      {"yes", true},
      {"no", false},
      {"words", std::vector<std::string>{"\u0120a", "", "zwei"}},
      {"numbers", std::vector<std::int32_t>{1, -2, 3}},
  };
  const std::vector<GgufTensor> tensors = {{"f32", TensorEncoding::kF32, {2, 3}},
                                           {"f16", TensorEncoding::kF16, {5}},
                                           {"bf16", TensorEncoding::kBF16, {2, 3}},
                                           {"q8_0", TensorEncoding::kQ8_0, {3, 64}}};
  const std::vector<float> ramp = {-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F};
  const std::vector<std::vector<float>> values = {
      ramp, {1.0F / 3, -2.5F, 65504, 6e-8F, 2049}, ramp, q8_0_rows()};
  OutputFile file(path);
  write_gguf(file, metadata, tensors, [&](std::size_t i, const ByteSink& sink) {
    encode_tensor(tensors[i].name, values[i], tensors[i].encoding, sink);
  });
  file.finish();
}

TEST(GgufWriter, WritesTheBytesOfTheReferenceWriter) {
  const TempDirectory temp;
  write_container(temp / "x");
  const std::string ours = read_file(temp / "x");
  const std::string reference = read_file(test::source_dir() / "tests/golden/container.gguf");
  ASSERT_EQ(ours.size(), reference.size());
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_EQ(ours[i], reference[i]) << "byte " << i;
}

TEST(GgufWriter, HoldsItsDeclarations) {
  const TempDirectory temp;
  const auto write = [&](std::vector<GgufEntry> metadata, std::vector<GgufTensor> tensors,
                         std::size_t given) {
    OutputFile file(temp / "x");
    write_gguf(file, metadata, tensors, [&](std::size_t, const ByteSink& sink) {
      const std::vector<std::byte> bytes(given);
      sink(std::span(bytes).first(given / 2));
      sink(std::span(bytes).subspan(given / 2));
    });
  };
  const GgufTensor pair{"a", TensorEncoding::kF32, {2}};
  EXPECT_NO_THROW(write({}, {}, 0));
  EXPECT_NO_THROW(write({}, {pair}, 8));
  EXPECT_THROW(write({}, {pair}, 7), CheckFailure);
  EXPECT_THROW(write({}, {pair}, 9), CheckFailure);
  EXPECT_THROW(write({}, {pair, pair}, 8), CheckFailure);
  EXPECT_NO_THROW(write({}, {{std::string(63, 'n'), TensorEncoding::kF16, {1, 1, 2, 2}}}, 8));
  EXPECT_THROW(write({}, {{std::string(64, 'n'), TensorEncoding::kF16, {4}}}, 8), CheckFailure);
  EXPECT_THROW(write({}, {{"a", TensorEncoding::kF16, {1, 1, 1, 2, 2}}}, 8), CheckFailure);
  EXPECT_THROW(write({}, {{"a", TensorEncoding::kF16, {}}}, 2), CheckFailure);
  EXPECT_THROW(write({}, {{"a", TensorEncoding::kQ8_0, {2, 16}}}, 34), CheckFailure);
  EXPECT_THROW(write({{"k", true}, {"k", false}}, {}, 0), CheckFailure);
}

TEST(GgufWriter, WriteFailuresNameTheFile) {
  for (const int call : {1, 2, 3}) {
    const TempDirectory temp;
    FaultyFileSystem full(Fault::kError, call, ENOSPC);
    const std::string text = expect_error(
        [&] {
          OutputFile file(temp / "x", full);
          write_gguf(file, {}, std::array{GgufTensor{"a", TensorEncoding::kF32, {2}}},
                     [](std::size_t, const ByteSink& sink) { sink(std::vector<std::byte>(8)); });
        },
        "No space left");
    EXPECT_NE(text.find((temp / "x").string()), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace vkgpt::model
