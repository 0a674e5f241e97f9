#include "golden/golden_file.hpp"

#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/config_json.hpp"

#include "support/paths.hpp"

namespace vkgpt::golden {
namespace {

struct File {
  std::string path;
  nlohmann::json header;
  std::string data;
};

File read(std::string_view name) {
  File result{.path = test::source_dir() / "tests/golden" / name, .header = {}, .data = {}};
  std::ifstream file(result.path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  VKGPT_CHECK(bytes.size() > 8, "cannot read {}", result.path);
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  result.header = nlohmann::json::parse(bytes.substr(8, header_size));
  result.data = bytes.substr(8 + header_size);
  return result;
}

}  // namespace

std::map<std::string, Tensor> load(std::string_view name) {
  static_assert(std::endian::native == std::endian::little && sizeof(float) == 4);
  const File file = read(name);
  std::map<std::string, Tensor> tensors;
  for (const auto& [key, entry] : file.header.items()) {
    if (key == "__metadata__") continue;
    const auto begin = entry["data_offsets"][0].get<std::size_t>();
    const auto end = entry["data_offsets"][1].get<std::size_t>();
    VKGPT_CHECK(begin <= end && end <= file.data.size(), "{}: {}", file.path, key);
    Tensor& tensor = tensors[key];
    tensor.shape = entry["shape"].get<std::vector<std::int64_t>>();
    tensor.values.resize((end - begin) / 4);
    if (entry["dtype"] == "I32") {
      std::vector<std::int32_t> ints(tensor.values.size());
      std::memcpy(ints.data(), file.data.data() + begin, end - begin);
      tensor.values.assign(ints.begin(), ints.end());
    } else {
      VKGPT_CHECK(entry["dtype"] == "F32", "{}: {}", file.path, key);
      std::memcpy(tensor.values.data(), file.data.data() + begin, end - begin);
    }
  }
  return tensors;
}

model::GptConfig load_config(std::string_view name) {
  const File file = read(name);
  return config_from_json<model::GptConfig>(file.header["__metadata__"]["config"].get<std::string>(),
                                            file.path);
}

}  // namespace vkgpt::golden
