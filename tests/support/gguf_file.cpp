#include "support/gguf_file.hpp"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "vkgpt/core/half.hpp"

namespace vkgpt::test {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}

  template <typename T>
  T get() {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string text() {
    const auto size = get<std::uint64_t>();
    std::string value = bytes_.substr(at_, size);
    at_ += size;
    return value;
  }
  GgufFile::Value value() {
    switch (get<std::uint32_t>()) {
      case 4:
        return get<std::uint32_t>();
      case 6:
        return get<float>();
      case 7:
        return get<std::uint8_t>() != 0;
      case 8:
        return text();
      case 9:
        break;
      default:
        throw std::runtime_error("a type of value that vkgpt does not write");
    }
    const auto type = get<std::uint32_t>();
    const auto count = get<std::uint64_t>();
    if (type == 5) {
      std::vector<std::int32_t> numbers(count);
      for (std::int32_t& number : numbers) number = get<std::int32_t>();
      return numbers;
    }
    std::vector<std::string> texts(count);
    for (std::string& word : texts) word = text();
    return texts;
  }

  std::size_t at() const { return at_; }
  void seek(std::size_t at) { at_ = at; }

 private:
  const std::string& bytes_;
  std::size_t at_ = 0;
};

float next_value(Reader& reader, std::uint32_t type) {
  if (type == 0) return reader.get<float>();
  if (type == 1) return f16_to_float(reader.get<std::uint16_t>());
  if (type == 30) return bf16_to_float(reader.get<std::uint16_t>());
  throw std::runtime_error("a type of tensor that vkgpt does not write");
}

}  // namespace

GgufFile::GgufFile(const Path& path) {
  const std::string bytes = read_file(path);
  Reader reader(bytes);
  if (reader.get<std::uint32_t>() != 0x46554747 || reader.get<std::uint32_t>() != 3) {
    throw std::runtime_error("not GGUF 3");
  }
  const auto tensor_count = reader.get<std::uint64_t>();
  const auto value_count = reader.get<std::uint64_t>();
  for (std::uint64_t i = 0; i < value_count; ++i) {
    std::string key = reader.text();
    values.emplace(std::move(key), reader.value());
  }
  std::vector<std::pair<std::string, std::uint64_t>> offsets;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    const std::string name = reader.text();
    Tensor& tensor = tensors[name];
    tensor.dims.resize(reader.get<std::uint32_t>());
    std::uint64_t count = 1;
    for (std::uint64_t& dim : tensor.dims) count *= dim = reader.get<std::uint64_t>();
    tensor.values.resize(count);
    tensor.type = reader.get<std::uint32_t>();
    offsets.emplace_back(name, reader.get<std::uint64_t>());
  }
  const std::size_t begin = (reader.at() + 31) / 32 * 32;
  for (const auto& [name, offset] : offsets) {
    Tensor& tensor = tensors[name];
    reader.seek(begin + offset);
    if (tensor.type != 8) {
      for (float& value : tensor.values) value = next_value(reader, tensor.type);
      continue;
    }
    for (std::size_t i = 0; i < tensor.values.size(); i += 32) {
      const float scale = f16_to_float(reader.get<std::uint16_t>());
      for (std::size_t j = 0; j < 32; ++j)
        tensor.values[i + j] = scale * static_cast<float>(reader.get<std::int8_t>());
    }
  }
}

}  // namespace vkgpt::test
