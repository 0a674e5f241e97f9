#include "vkgpt/model/gguf_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/lfs_pointer.hpp"
#include "vkgpt/core/utf8.hpp"

#include "model/ggml_types.hpp"

namespace vkgpt::model {
namespace {

constexpr std::uint64_t kMaxEntries = 1 << 16;   // of metadata, and tensors
constexpr std::uint64_t kMaxHeader = 256 << 20;  // bytes before the data
constexpr std::uint64_t kMaxItems = 1 << 24;     // of an array

/// Reads a header's parts one after the other.
class Cursor {
 public:
  explicit Cursor(const InputFile& file) : file_(file) {}

  std::uint64_t at() const { return begin_ + used_; }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string text() {
    const auto length = number<std::uint64_t>();
    if (length > file_.size() - at()) cut_short();
    return std::string(take(length));
  }
  /// Refuses `count` items of at least `bytes` each that the file cannot hold.
  void expect(std::uint64_t count, std::uint64_t bytes) const {
    if (count > kMaxItems || count * bytes > file_.size() - at()) cut_short();
  }

 private:
  [[noreturn]] void cut_short() const {
    fail("{}: the GGUF header is cut short or damaged at byte {}", file_.path().string(), at());
  }

  std::string_view take(std::uint64_t count) {
    if (count > file_.size() - at() || at() + count > kMaxHeader) cut_short();
    if (buffer_.size() - used_ < count) {
      begin_ += used_;
      used_ = 0;
      constexpr std::uint64_t kBlock = 1 << 20;
      buffer_.resize(std::min(std::max(count, kBlock), file_.size() - begin_));
      file_.read_at(begin_, std::as_writable_bytes(std::span(buffer_)));
    }
    const std::string_view taken = std::string_view(buffer_).substr(used_, count);
    used_ += count;
    return taken;
  }

  const InputFile& file_;
  std::uint64_t begin_ = 0;  // of the buffer, in the file
  std::size_t used_ = 0;     // bytes of the buffer
  std::string buffer_;
};

/// Reads values of any of GGUF's types.
class ValueReader {
 public:
  ValueReader(Cursor& cursor, const std::string& where) : cursor_(cursor), where_(where) {}

  GgufData read(const std::string& key) {
    const auto type = cursor_.number<std::uint32_t>();
    if (type == kArray) return read_array(key);
    if (type == kString) return cursor_.text();
    if (type == kBool) return cursor_.number<std::uint8_t>() != 0;
    if (type == kFloat32) return static_cast<double>(cursor_.number<float>());
    if (type == kFloat64) return cursor_.number<double>();
    return whole(type, key);
  }

 private:
  static constexpr std::uint32_t kFloat32 = 6;
  static constexpr std::uint32_t kBool = 7;
  static constexpr std::uint32_t kString = 8;
  static constexpr std::uint32_t kArray = 9;
  static constexpr std::uint32_t kFloat64 = 12;

  std::int64_t whole(std::uint32_t type, const std::string& key) {
    switch (type) {
      case 0:
      case kBool:
        return cursor_.number<std::uint8_t>();
      case 1:
        return cursor_.number<std::int8_t>();
      case 2:
        return cursor_.number<std::uint16_t>();
      case 3:
        return cursor_.number<std::int16_t>();
      case 4:
        return cursor_.number<std::uint32_t>();
      case 5:
        return cursor_.number<std::int32_t>();
      case 10: {
        const auto value = cursor_.number<std::uint64_t>();
        if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
          fail("{}: {} is {}, which is out of range", where_, json_quoted(key), value);
        }
        return static_cast<std::int64_t>(value);
      }
      case 11:
        return cursor_.number<std::int64_t>();
      default:
        fail("{}: {} has the type {}, which GGUF does not have", where_, json_quoted(key), type);
    }
  }

  GgufData read_array(const std::string& key) {
    const auto type = cursor_.number<std::uint32_t>();
    const auto count = cursor_.number<std::uint64_t>();
    if (type == kArray) fail("{}: {} is an array of arrays", where_, json_quoted(key));
    cursor_.expect(count, type == kString ? 8 : 1);
    if (type == kString) {
      std::vector<std::string> texts;
      texts.reserve(count);
      for (std::uint64_t i = 0; i < count; ++i) texts.push_back(cursor_.text());
      return texts;
    }
    if (type == kFloat32 || type == kFloat64) {
      std::vector<double> numbers;
      for (std::uint64_t i = 0; i < count; ++i) {
        numbers.push_back(type == kFloat32 ? static_cast<double>(cursor_.number<float>())
                                           : cursor_.number<double>());
      }
      return numbers;
    }
    std::vector<std::int64_t> numbers;
    for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(whole(type, key));
    return numbers;
  }

  Cursor& cursor_;
  const std::string& where_;
};

/// Name, shape and type; the offset is still that into the data.
GgufTensorInfo read_info(Cursor& cursor, const std::string& where) {
  GgufTensorInfo info{.name = cursor.text(), .shape = {}};
  const auto rank = cursor.number<std::uint32_t>();
  if (rank == 0 || rank > kMaxGgmlRank)
    fail("{}: tensor {} has {} dimensions", where, json_quoted(info.name), rank);
  std::vector<std::int64_t> dims(rank);
  std::uint64_t count = 1;
  for (std::size_t i = rank; i-- > 0;) {
    const auto dim = cursor.number<std::uint64_t>();
    constexpr std::uint64_t kMaxNumbers = std::uint64_t{1} << 40U;
    if (dim == 0 || dim > kMaxNumbers / count) {
      fail("{}: tensor {} has an impossible shape", where, json_quoted(info.name));
    }
    count *= dim;
    dims[i] = static_cast<std::int64_t>(dim);
  }
  info.shape = Shape(std::move(dims));
  info.type = cursor.number<std::uint32_t>();
  info.offset = cursor.number<std::uint64_t>();
  const GgmlType* type = ggml_type(info.type);
  if (type == nullptr) {
    fail("{}: tensor {} has ggml's type {}, which is not read ({} are)", where, json_quoted(info.name),
         info.type, ggml_type_names());
  }
  if (static_cast<std::uint64_t>(info.shape.back()) % type->values != 0) {
    fail("{}: tensor {} of type {} has rows of {}, no multiple of {}", where, json_quoted(info.name),
         type->name, info.shape.back(), type->values);
  }
  info.bytes = count / type->values * type->bytes;
  return info;
}

}  // namespace

GgufFile::GgufFile(const Path& path) : file_(path) {
  const std::string where = path.string();
  Cursor cursor(file_);
  constexpr std::uint32_t kMagic = 0x46554747;
  refuse_lfs_pointer(file_);
  if (file_.size() < 24 || cursor.number<std::uint32_t>() != kMagic) {
    fail("{} is no GGUF file: it does not begin with GGUF", printable(where, 200));
  }
  const auto version = cursor.number<std::uint32_t>();
  if (version != 2 && version != 3) fail("{}: GGUF version {} is not read (2 and 3 are)", where, version);
  const auto tensor_count = cursor.number<std::uint64_t>();
  const auto entry_count = cursor.number<std::uint64_t>();
  if (tensor_count > kMaxEntries || entry_count > kMaxEntries) {
    fail("{}: {} tensors and {} keys are too many", where, tensor_count, entry_count);
  }
  for (std::uint64_t i = 0; i < entry_count; ++i) {
    std::string key = cursor.text();
    GgufData value = ValueReader(cursor, where).read(key);
    if (!metadata_.emplace(key, std::move(value)).second)
      fail("{}: {} is there twice", where, json_quoted(key));
  }
  for (std::uint64_t i = 0; i < tensor_count; ++i) tensors_.push_back(read_info(cursor, where));

  const auto alignment = static_cast<std::uint64_t>(get<std::int64_t>("general.alignment", 32));
  if (alignment == 0 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0) {
    fail("{}: general.alignment is {}, no power of two", where, alignment);
  }
  const std::uint64_t data = (cursor.at() + alignment - 1) / alignment * alignment;
  for (GgufTensorInfo& info : tensors_) {
    if (info.offset % alignment != 0 || data > file_.size() || info.bytes > file_.size() - data ||
        info.offset > file_.size() - data - info.bytes) {
      fail("{}: the numbers of tensor {} lie outside the file: it is cut short or damaged", where,
           json_quoted(info.name));
    }
    info.offset += data;
  }
  std::ranges::sort(tensors_, {}, &GgufTensorInfo::offset);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (i > 0 && tensors_[i].offset < tensors_[i - 1].offset + tensors_[i - 1].bytes) {
      fail("{}: tensors {} and {} overlap", where, json_quoted(tensors_[i - 1].name),
           json_quoted(tensors_[i].name));
    }
    if (!by_name_.emplace(tensors_[i].name, i).second) {
      fail("{}: tensor {} is there twice", where, json_quoted(tensors_[i].name));
    }
  }
}

std::string GgufFile::types() const {
  std::set<std::string_view> names;
  for (const GgufTensorInfo& tensor : tensors_) names.insert(ggml_type(tensor.type)->name);
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

const GgufTensorInfo* GgufFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const GgufData& GgufFile::at(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) fail("{}: {} is missing", where(), json_quoted(key));
  return found->second;
}

void GgufFile::fail_kind(const std::string& key) const {
  fail("{}: {} is of another kind than it should be", where(), json_quoted(key));
}

void GgufFile::read(const GgufTensorInfo& tensor, std::span<float> out) const {
  const GgmlType* type = ggml_type(tensor.type);
  VKGPT_CHECK(type != nullptr && std::cmp_equal(out.size(), tensor.shape.numel()), "{}", tensor.name);
  constexpr std::size_t kBlocks = 1 << 12;  // read at a time
  std::vector<std::byte> bytes;
  const std::size_t blocks = out.size() / type->values;
  for (std::size_t done = 0; done < blocks; done += kBlocks) {
    const std::size_t count = std::min(kBlocks, blocks - done);
    bytes.resize(count * type->bytes);
    file_.read_at(tensor.offset + done * type->bytes, bytes);
    for (std::size_t i = 0; i < count; ++i) {
      type->dequantize(bytes.data() + i * type->bytes, out.data() + (done + i) * type->values);
    }
  }
}

}  // namespace vkgpt::model
