#include <vector>

#include "vkgpt/model/safetensors.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(safetensors) {
  const model::SafetensorsFile file(write_input("model.safetensors", input));
  for (const model::SafetensorsEntry& entry : file.entries()) {
    std::vector<std::byte> bytes(entry.size_bytes());
    file.read(entry, std::span(bytes));
    if (entry.dtype != "F32" && entry.dtype != "F16" && entry.dtype != "BF16") continue;
    std::vector<float> values(static_cast<std::size_t>(entry.shape.numel()));
    file.read(entry, std::span(values));
  }
}

}  // namespace vkgpt::fuzz
