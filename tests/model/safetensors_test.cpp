#include "vkgpt/model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

#include "support/expect_error.hpp"
#include "support/faulty_file_system.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

std::string file_bytes(std::string header, std::size_t data_bytes) {
  const std::uint64_t n = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &n, 8);
  text += header;
  for (std::size_t i = 0; i < data_bytes; ++i) text += static_cast<char>(i + 1);
  return text;
}

// Three tensors, one of them empty and one a scalar.
std::string valid_file() {
  return file_bytes(
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[24,24]},)"
      R"("s":{"dtype":"BF16","shape":[],"data_offsets":[24,26]}}  )",
      26);
}

void write_ramp(const Path& path, std::vector<SafetensorsTensor> tensors) {
  OutputFile file(path);
  write_safetensors(file, std::move(tensors),
                    [](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      std::vector<std::byte> bytes(tensor.size_bytes());
                      for (std::size_t i = 0; i < bytes.size(); ++i)
                        bytes[i] = static_cast<std::byte>(i * 7 + tensor.name.size());
                      const std::size_t half = bytes.size() / 2;
                      sink(std::span(bytes).first(half));
                      sink(std::span(bytes).subspan(half));
                    });
  file.finish();
}

TEST(Safetensors, RoundTrips) {
  const TempDirectory temp;
  const std::vector<SafetensorsTensor> tensors = {{"b", DType::kF32, {2, 3}},
                                                  {"half", DType::kF16, {5}},
                                                  {"a.weight", DType::kF32, {4}},
                                                  {"scalar", DType::kU32, {}},
                                                  {"empty", DType::kBF16, {3, 0}}};
  write_ramp(temp / "x", tensors);
  const SafetensorsFile file(temp / "x");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (const SafetensorsTensor& tensor : tensors) {
    const SafetensorsEntry& entry = file.expect(tensor.name, tensor.shape);
    std::vector<std::byte> bytes(entry.size_bytes());
    ASSERT_EQ(bytes.size(), tensor.size_bytes());
    file.read(entry, bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      ASSERT_EQ(bytes[i], static_cast<std::byte>(i * 7 + tensor.name.size())) << tensor.name << " " << i;
    }
  }
}

TEST(Safetensors, WritesTheBytesOfTheReferenceWriter) {
  const TempDirectory temp;
  write_ramp(
      temp / "x",
      {{"z", DType::kF16, {1}}, {"b", DType::kF32, {1}}, {"a", DType::kF32, {1, 1}}, {"i", DType::kI32, {}}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
      R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"i":{"dtype":"I32","shape":[],"data_offsets":[8,12]},)"
      R"("z":{"dtype":"F16","shape":[1],"data_offsets":[12,14]}})";
  const std::string text = read_file(temp / "x");
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, text.data(), 8);
  EXPECT_EQ(header_size % 8, 0U);
  EXPECT_EQ(header_size, (header.size() + 7) / 8 * 8);
  EXPECT_EQ(text.substr(8, header.size()), header);
  EXPECT_EQ(text.substr(8 + header.size(), header_size - header.size()),
            std::string(header_size - header.size(), ' '));
  EXPECT_EQ(text.size(), 8 + header_size + 14);
}

TEST(Safetensors, WidensToFloat) {
  const TempDirectory temp;
  OutputFile out(temp / "x");
  const std::array<std::uint16_t, 2> f16 = {0x3c00, 0xc100};   // 1, -2.5
  const std::array<std::uint16_t, 2> bf16 = {0x3f80, 0xc020};  // 1, -2.5
  const std::array<float, 2> f32 = {1.0F, -2.5F};
  write_safetensors(out,
                    {{"f16", DType::kF16, {2}},
                     {"bf16", DType::kBF16, {2}},
                     {"f32", DType::kF32, {2}},
                     {"u32", DType::kU32, {2}}},
                    [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      if (tensor.name == "f16") return sink(std::as_bytes(std::span(f16)));
                      if (tensor.name == "bf16") return sink(std::as_bytes(std::span(bf16)));
                      sink(std::as_bytes(std::span(f32)));
                    });
  out.finish();
  const SafetensorsFile file(temp / "x");
  for (const char* name : {"f16", "bf16", "f32"}) {
    std::array<float, 2> values{};
    file.read(file.expect(name, {2}), std::span<float>(values));
    EXPECT_EQ(values, f32) << name;
  }
  std::array<float, 2> values{};
  expect_error([&] { file.read(*file.find("u32"), std::span<float>(values)); }, "\"u32\" has dtype U32");
  expect_error([&] { file.expect("none", {2}); }, "\"none\" is missing");
  expect_error([&] { file.expect("f32", {3}); }, "has shape (2), the model needs (3)");
  EXPECT_EQ(file.find("none"), nullptr);
}

TEST(Safetensors, WidensLongTensorsPieceByPiece) {
  const TempDirectory temp;
  constexpr std::int64_t kN = 10'001;
  OutputFile out(temp / "x");
  write_safetensors(out, {{"x", DType::kBF16, {kN}}},
                    [](const SafetensorsTensor&, const SafetensorsSink& sink) {
                      std::vector<std::uint16_t> words(kN);
                      for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<std::uint16_t>(i);
                      sink(std::as_bytes(std::span(words)));
                    });
  out.finish();
  const SafetensorsFile file(temp / "x");
  std::vector<float> values(kN);
  file.read(*file.find("x"), std::span<float>(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), static_cast<std::uint32_t>(i) << 16);
  }
}

TEST(Safetensors, AcceptsScalarsEmptyTensorsAndForeignDtypes) {
  const TempDirectory temp;
  write_file(temp / "x", valid_file());
  const SafetensorsFile file(temp / "x");
  EXPECT_EQ(file.expect("none", {0, 7}).size_bytes(), 0U);
  EXPECT_EQ(file.expect("s", Shape{}).size_bytes(), 2U);
  write_file(temp / "none", file_bytes("{}", 0));
  EXPECT_TRUE(SafetensorsFile(temp / "none").entries().empty());
  write_file(temp / "mask", file_bytes(R"({"m":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", 3));
  EXPECT_EQ(SafetensorsFile(temp / "mask").find("m")->dtype, "BOOL");
}

TEST(Safetensors, RefusesMalformedFiles) {
  const auto one = [](std::string_view members, std::size_t data_bytes) {
    return file_bytes(vkgpt::format(R"({{"w":{{{}}}}})", members), data_bytes);
  };
  const auto header = [](std::uint64_t size) { return std::string(reinterpret_cast<const char*>(&size), 8); };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "too short"},
      {"1234567", "too short"},
      {header(100'000'001), "more than the 100000000 allowed"},
      {header(UINT64_MAX), "more than the 100000000 allowed"},
      {header(3) + "{}", "truncated"},
      {header(0), "does not start with '{'"},
      {file_bytes(" {}", 0), "does not start with '{'"},
      {file_bytes("[]", 0), "does not start with '{'"},
      {file_bytes("{\"a\":", 0), "invalid JSON"},
      {file_bytes("{\"\xff\":1}", 0), "invalid JSON"},
      {file_bytes("{}", 1), "the tensors end at byte 0"},
      {file_bytes(R"({"w":1})", 0), "expected a JSON object"},
      {file_bytes(R"({"w":{"a":{"b":{"c":{}}}}})", 0), "nested deeper"},
      {file_bytes("{\"w\":" + std::string(100'000, '['), 0), "nested deeper"},
      {file_bytes(R"({"__metadata__":1})", 0), "__metadata__"},
      {file_bytes(R"({"__metadata__":{"a":1}})", 0), "must be a string"},
      {file_bytes(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                  R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                  2),
       "appears twice"},
      {one(R"("dtype":"F32","shape":[1])", 4), "\"data_offsets\" is missing"},
      {one(R"("dtype":"F32","data_offsets":[0,4])", 4), "\"shape\" is missing"},
      {one(R"("shape":[1],"data_offsets":[0,4])", 4), "\"dtype\" is missing"},
      {one(R"("dtype":"F33","shape":[1],"data_offsets":[0,4])", 4), "dtype \"F33\" is not supported"},
      {one(R"("dtype":"f32","shape":[1],"data_offsets":[0,4])", 4), "not supported"},
      {one(R"("dtype":7,"shape":[1],"data_offsets":[0,4])", 4), "must be a string"},
      {one(R"("dtype":"F32","shape":1,"data_offsets":[0,4])", 4), "must be a list"},
      {one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])", 4), "not a whole number"},
      {one(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])", 4), "not a whole number"},
      {one(R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])", 4), "not a whole number"},
      {one(R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4])", 4), "not a whole number"},
      {one(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4])", 4), "overflows"},
      {one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])", 4), "overflows"},
      {one(R"("dtype":"F32","shape":[2305843009213693953],"data_offsets":[0,4])", 4), "overflows"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", 4),
       "have 4 bytes, its shape and dtype need 8"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])", 8), "have 8 bytes"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", 4), "before they begin"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0])", 4), "two whole numbers"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])", 4), "two whole numbers"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[-4,0])", 4), "two whole numbers"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0.0,4.0])", 4), "two whole numbers"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])", 3), "truncated"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])", 5),
       "the tensors end at byte 4 but the file has 5"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])", 8), "leaving a hole"},
      {file_bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                  3),
       "overlapping"},
      {file_bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                  2),
       "overlapping"},
      {file_bytes(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                  R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                  3),
       "leaving a hole"},
  };
  const TempDirectory temp;
  const Path path = temp / "model.safetensors";
  for (const auto& [bytes, part] : cases) {
    write_file(path, bytes);
    const std::string text = expect_error([&] { SafetensorsFile file(path); }, part);
    EXPECT_TRUE(text.starts_with(path.string())) << text;
  }
  expect_error([&] { SafetensorsFile file(temp / "missing"); }, "No such file");
}

// Opens and reads everything: the outcome must be success or one `Error`.
bool accepts(const Path& path) {
  try {
    const SafetensorsFile file(path);
    for (const SafetensorsEntry& entry : file.entries()) {
      std::vector<std::byte> bytes(entry.size_bytes());
      file.read(entry, bytes);
    }
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return false;
  }
}

TEST(Safetensors, MutationsNeverCrash) {
  // A file in memory: thousands of versions take no time.
  const int fd = ::memfd_create("mutations", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  const Path path = vkgpt::format("/proc/self/fd/{}", fd);
  const auto try_text = [&](std::string_view text) {
    EXPECT_EQ(::ftruncate(fd, 0), 0);
    EXPECT_EQ(::pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return accepts(path);
  };
  const std::string valid = valid_file();
  ASSERT_TRUE(try_text(valid));
  for (std::size_t n = 0; n < valid.size(); ++n) {
    EXPECT_FALSE(try_text(std::string_view(valid).substr(0, n))) << "truncated to " << n;
  }
  for (std::size_t at = 0; at < valid.size(); ++at) {
    std::string text = valid;
    for (const int bit : {0, 1, 2, 3, 4, 5, 6, 7}) {
      text[at] = static_cast<char>(valid[at] ^ (1 << bit));
      const bool accepted = try_text(text);
      if (at >= valid.size() - 26) {
        EXPECT_TRUE(accepted) << "data are not the header's concern, " << at;
      }
    }
    for (const char c : {'0', '9', '-', '"', '[', '{', '}', '\0', ' '}) {
      text[at] = c;
      try_text(text);
    }
    std::string without = valid;
    EXPECT_FALSE(try_text(without.erase(at, 1))) << at;
    std::string doubled = valid;
    EXPECT_FALSE(try_text(doubled.insert(at, 1, valid[at]))) << at;
  }
  ::close(fd);
}

TEST(Safetensors, WriterHoldsItsDeclarations) {
  const TempDirectory temp;
  const auto write = [&](std::vector<SafetensorsTensor> tensors, std::size_t given) {
    OutputFile file(temp / "x");
    write_safetensors(file, std::move(tensors), [&](const SafetensorsTensor&, const SafetensorsSink& sink) {
      sink(std::vector<std::byte>(given));
    });
  };
  EXPECT_NO_THROW(write({{"a", DType::kF32, {2}}}, 8));
  EXPECT_THROW(write({{"a", DType::kF32, {2}}}, 7), CheckFailure);
  EXPECT_THROW(write({{"a", DType::kF32, {2}}}, 9), CheckFailure);
  EXPECT_THROW(write({{"a", DType::kF32, {2}}, {"a", DType::kF32, {2}}}, 8), CheckFailure);
  EXPECT_THROW(write({{"__metadata__", DType::kF32, {2}}}, 8), CheckFailure);
}

TEST(Safetensors, WriteFailuresNameTheFile) {
  const TempDirectory temp;
  FaultyFileSystem full(Fault::kError, 3, ENOSPC);
  OutputFile file(temp / "x", full);
  const std::string text = expect_error(
      [&] {
        write_safetensors(
            file, {{"a", DType::kF32, {2}}},
            [](const SafetensorsTensor&, const SafetensorsSink& sink) { sink(std::vector<std::byte>(8)); });
      },
      "No space left");
  EXPECT_THAT(text, testing::HasSubstr((temp / "x").string()));
}

}  // namespace
}  // namespace vkgpt::model
