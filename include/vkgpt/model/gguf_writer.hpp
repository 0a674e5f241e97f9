#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/shape.hpp"
#include "vkgpt/model/tensor_encoding.hpp"

namespace vkgpt::model {

/// The types of value that model files need, of those that GGUF has.
using GgufValue = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::int32_t>,
                               std::vector<float>, std::vector<std::string>, std::vector<std::uint8_t>>;

/// A key and its value: "llama.block_count" is 30.
struct GgufEntry {
  std::string key;
  GgufValue value;
};

/// A tensor to be written.
struct GgufTensor {
  std::string name;  // less than 64 bytes: ggml's limit
  TensorEncoding encoding = TensorEncoding::kF32;
  Shape shape;  // outermost first; of Q8_0 the last dimension is a multiple of 32

  std::uint64_t size_bytes() const { return encoded_size(encoding, shape.numel()); }
};

/// Writes a whole GGUF file of version 3 (format: FORMATS of this project, after ggml's reader): metadata,
/// the table of tensors, then their data one tensor at a time, each aligned to 32 bytes. `data` is called
/// once per tensor, with its index, and gives all of its bytes, in any number of pieces, to the sink. The
/// caller calls `file.finish()`. Throws `IoError`.
void write_gguf(OutputFile& file, std::span<const GgufEntry> metadata, std::span<const GgufTensor> tensors,
                const std::function<void(std::size_t, const ByteSink&)>& data);

}  // namespace vkgpt::model
