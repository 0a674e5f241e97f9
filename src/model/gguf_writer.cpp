#include "vkgpt/model/gguf_writer.hpp"

#include <string_view>
#include <type_traits>
#include <unordered_set>

#include "vkgpt/core/check.hpp"

#include "model/ggml_types.hpp"

namespace vkgpt::model {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kAlignment = 32;  // GGUF's default: no key says it
constexpr std::size_t kMaxName = 63;

// GGUF's numbers for the types of values.
enum class ValueType : std::uint32_t {
  kUint8 = 0,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
};

template <typename T>
constexpr ValueType value_type() {
  if constexpr (std::is_same_v<T, std::uint32_t>) return ValueType::kUint32;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ValueType::kUint8;
  if constexpr (std::is_same_v<T, std::int32_t>) return ValueType::kInt32;
  if constexpr (std::is_same_v<T, float>) return ValueType::kFloat32;
  if constexpr (std::is_same_v<T, bool>) return ValueType::kBool;
  if constexpr (std::is_same_v<T, std::string>) return ValueType::kString;
  return ValueType::kArray;
}

/// ggml's numbers for the types of tensors.
std::uint32_t tensor_type(TensorEncoding encoding) {
  switch (encoding) {
    case TensorEncoding::kF32:
      return 0;
    case TensorEncoding::kF16:
      return 1;
    case TensorEncoding::kQ8_0:
      return 8;
    case TensorEncoding::kBF16:
      return 30;
  }
  VKGPT_CHECK(false, "encoding {}", static_cast<int>(encoding));
  return 0;
}

std::uint64_t padding_after(std::uint64_t size) {
  return (kAlignment - size % kAlignment) % kAlignment;
}

/// Everything before the data, as bytes.
class GgufHeader {
 public:
  template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void put(T value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void put(std::string_view text) {
    put<std::uint64_t>(text.size());
    text_ += text;
  }
  void put(const std::string& text) { put(std::string_view(text)); }
  template <typename T>
  void put(const std::vector<T>& values) {
    put(value_type<T>());
    put<std::uint64_t>(values.size());
    for (const T& value : values) put(value);
  }
  void pad() { text_.append(padding_after(text_.size()), '\0'); }

  std::string_view text() const { return text_; }

 private:
  std::string text_ = "GGUF";
};

}  // namespace

void write_gguf(OutputFile& file, std::span<const GgufEntry> metadata, std::span<const GgufTensor> tensors,
                const std::function<void(std::size_t, const ByteSink&)>& data) {
  GgufHeader header;
  header.put(kVersion);
  header.put<std::uint64_t>(tensors.size());
  header.put<std::uint64_t>(metadata.size());
  std::unordered_set<std::string_view> names;
  for (const GgufEntry& entry : metadata) {
    VKGPT_CHECK(names.insert(entry.key).second, "key {} twice", entry.key);
    header.put(entry.key);
    std::visit(
        [&](const auto& value) {
          header.put(value_type<std::decay_t<decltype(value)>>());
          header.put(value);
        },
        entry.value);
  }
  names.clear();
  std::uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    VKGPT_CHECK(tensor.name.size() <= kMaxName && names.insert(tensor.name).second, "name {}", tensor.name);
    const auto dims = tensor.shape.dims();
    VKGPT_CHECK(!dims.empty() && dims.size() <= kMaxGgmlRank, "{}: rank {}", tensor.name, dims.size());
    VKGPT_CHECK(tensor.encoding != TensorEncoding::kQ8_0 || dims.back() % 32 == 0, "{}: rows of {}",
                tensor.name, dims.back());
    header.put(tensor.name);
    header.put(static_cast<std::uint32_t>(dims.size()));
    for (std::size_t i = dims.size(); i-- > 0;) header.put(static_cast<std::uint64_t>(dims[i]));
    header.put(tensor_type(tensor.encoding));
    header.put(offset);
    offset += tensor.size_bytes() + padding_after(tensor.size_bytes());
  }
  header.pad();
  file.write(header.text());

  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t size = tensors[i].size_bytes();
    std::uint64_t given = 0;
    data(i, [&](std::span<const std::byte> bytes) {
      given += bytes.size();
      VKGPT_CHECK(given <= size, "{}: more than {} bytes", tensors[i].name, size);
      file.write(bytes);
    });
    VKGPT_CHECK(given == size, "{}: {} of {} bytes", tensors[i].name, given, size);
    file.write(std::string(padding_after(size), '\0'));
  }
}

}  // namespace vkgpt::model
