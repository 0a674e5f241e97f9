#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/shape.hpp"

namespace vkgpt::model {

/// What a safetensors file says about one tensor.
struct SafetensorsEntry {
  std::string name;
  /// The format's own word: "F32", "F16", "BF16", "U8", ...
  std::string_view dtype;
  Shape shape;
  /// Byte range [begin, end) relative to the data section.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  std::uint64_t size_bytes() const { return end - begin; }
};

/// A safetensors file open for reading. The header is checked as a whole on opening (format: FORMATS of this
/// project, after the reference implementation); tensor data are read when asked for, and only those.
class SafetensorsFile {
 public:
  /// Throws `Error`, one line that names the file, for anything but a well-formed file.
  explicit SafetensorsFile(const Path& path);

  const Path& path() const { return file_.path(); }
  /// In the order of their data.
  std::span<const SafetensorsEntry> entries() const { return entries_; }
  /// The string pairs of `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// nullptr when there is no such tensor.
  const SafetensorsEntry* find(std::string_view name) const;
  /// Throws `Error` when there is no such tensor or its shape is not `shape`.
  const SafetensorsEntry& expect(std::string_view name, const Shape& shape) const;

  /// The bytes as stored (row-major, little-endian); `out` has exactly `entry.size_bytes()`.
  void read(const SafetensorsEntry& entry, std::span<std::byte> out) const;
  /// The elements of an F32, F16 or BF16 tensor, widened to fp32; `out` has exactly `entry.shape.numel()`.
  /// Throws `Error` for any other dtype.
  void read(const SafetensorsEntry& entry, std::span<float> out) const;

 private:
  InputFile file_;
  std::uint64_t data_offset_ = 0;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be written.
struct SafetensorsTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;

  std::uint64_t size_bytes() const { return static_cast<std::uint64_t>(shape.numel()) * dtype_size(dtype); }
};

/// Appends bytes of the tensor that is being written.
using SafetensorsSink = std::function<void(std::span<const std::byte>)>;

/// Writes a whole safetensors file, one tensor at a time, in the order of the reference writer (descending
/// alignment of the dtype, then name) with `__metadata__` {"format": "pt"}. `data` is called once per tensor
/// and gives all of its bytes, in any number of pieces, to the sink. The caller calls `file.finish()`. Throws
/// `IoError`.
void write_safetensors(OutputFile& file, std::vector<SafetensorsTensor> tensors,
                       const std::function<void(const SafetensorsTensor&, const SafetensorsSink&)>& data);

}  // namespace vkgpt::model
