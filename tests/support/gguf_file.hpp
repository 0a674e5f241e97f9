#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::test {

/// A GGUF file as ggml's reader understands it. It trusts the file, and is no part of vkgpt, so that a fault
/// of vkgpt's own writer cannot hide here.
struct GgufFile {
  using Value = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::int32_t>,
                             std::vector<std::string>>;
  struct Tensor {
    std::vector<std::uint64_t> dims;  // as in the file: innermost first
    std::uint32_t type = 0;           // 0 F32, 1 F16, 8 Q8_0, 30 BF16
    std::vector<float> values;
  };

  explicit GgufFile(const Path& path);

  std::uint32_t number(const std::string& key) const { return std::get<std::uint32_t>(values.at(key)); }
  const std::string& text(const std::string& key) const { return std::get<std::string>(values.at(key)); }
  const std::vector<std::string>& texts(const std::string& key) const {
    return std::get<std::vector<std::string>>(values.at(key));
  }
  const std::vector<std::int32_t>& numbers(const std::string& key) const {
    return std::get<std::vector<std::int32_t>>(values.at(key));
  }

  std::map<std::string, Value> values;
  std::map<std::string, Tensor> tensors;
};

}  // namespace vkgpt::test
