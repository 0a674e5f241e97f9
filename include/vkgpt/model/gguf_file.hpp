#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/shape.hpp"

namespace vkgpt::model {

/// A value of a GGUF file's metadata; whole numbers of every width are one kind, and so are fractions.
using GgufData = std::variant<std::int64_t, double, bool, std::string, std::vector<std::int64_t>,
                              std::vector<double>, std::vector<std::string>>;

/// What a GGUF file says about one tensor.
struct GgufTensorInfo {
  std::string name;
  Shape shape;               // outermost first
  std::uint32_t type = 0;    // ggml's number
  std::uint64_t offset = 0;  // into the file
  std::uint64_t bytes = 0;
};

/// A GGUF file (version 2 or 3, little-endian) open for reading. Metadata and table of tensors are checked as
/// a whole on opening; numbers are read when asked for.
class GgufFile {
 public:
  /// Throws `Error`, one line that names the file, for anything but a well-formed file.
  explicit GgufFile(const Path& path);

  const Path& path() const { return file_.path(); }
  std::string where() const { return file_.path().string(); }
  const std::vector<GgufTensorInfo>& tensors() const { return tensors_; }
  /// The types that the tensors have, in ggml's words: "F32, Q4_1".
  std::string types() const;
  /// nullptr when there is no such tensor.
  const GgufTensorInfo* find(std::string_view name) const;

  bool has(const std::string& key) const { return metadata_.contains(key); }
  /// The value of `key`, of the kind `T`. Throws `Error` where it is missing or of another kind.
  template <typename T>
  const T& get(const std::string& key) const {
    const auto* value = std::get_if<T>(&at(key));
    if (value == nullptr) fail_kind(key);
    return *value;
  }
  template <typename T>
  T get(const std::string& key, const T& otherwise) const {
    return has(key) ? get<T>(key) : otherwise;
  }

  /// The numbers of a tensor as fp32; `out` has exactly `tensor.shape.numel()`. What ggml's types stand for
  /// is what the Python package gguf computes. Throws `Error` for a type that is not known.
  void read(const GgufTensorInfo& tensor, std::span<float> out) const;
  /// Some of its bytes, from byte `first` on.
  void read_bytes(const GgufTensorInfo& tensor, std::uint64_t first, std::span<std::byte> out) const {
    file_.read_at(tensor.offset + first, out);
  }

 private:
  const GgufData& at(const std::string& key) const;
  [[noreturn]] void fail_kind(const std::string& key) const;

  InputFile file_;
  std::map<std::string, GgufData, std::less<>> metadata_;
  std::vector<GgufTensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace vkgpt::model
