#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"

#include "support/paths.hpp"

namespace vkgpt::golden {

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // I32 tensors too: their values are small

  std::vector<std::int32_t> ints() const { return {values.begin(), values.end()}; }
};

/// Loads tests/golden/NAME: a safetensors file of F32 and I32 tensors. It trusts the file, and is no part of
/// vkgpt, so that a fault of vkgpt's own reader cannot hide here.
inline std::map<std::string, Tensor> load(std::string_view name) {
  static_assert(std::endian::native == std::endian::little && sizeof(float) == 4);
  const std::string path = test::source_dir() / "tests/golden" / name;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  VKGPT_CHECK(bytes.size() > 8, "cannot read {}", path);
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, header_size));
  std::map<std::string, Tensor> tensors;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") continue;
    const std::size_t begin = 8 + header_size + entry["data_offsets"][0].get<std::size_t>();
    const std::size_t end = 8 + header_size + entry["data_offsets"][1].get<std::size_t>();
    VKGPT_CHECK(begin <= end && end <= bytes.size(), "{}: {}", path, key);
    Tensor& tensor = tensors[key];
    tensor.shape = entry["shape"].get<std::vector<std::int64_t>>();
    tensor.values.resize((end - begin) / 4);
    if (entry["dtype"] == "I32") {
      std::vector<std::int32_t> ints(tensor.values.size());
      std::memcpy(ints.data(), bytes.data() + begin, end - begin);
      tensor.values.assign(ints.begin(), ints.end());
    } else {
      VKGPT_CHECK(entry["dtype"] == "F32", "{}: {}", path, key);
      std::memcpy(tensor.values.data(), bytes.data() + begin, end - begin);
    }
  }
  return tensors;
}

}  // namespace vkgpt::golden
