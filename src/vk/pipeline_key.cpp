#include "vkgpt/vk/pipeline_key.hpp"

#include <cstddef>

#include "vkgpt/core/format.hpp"

namespace vkgpt::vk {

std::string variant_text(const PipelineKey& key) {
  std::string text;
  for (const Macro& macro : key.macros) {
    text += vkgpt::format("{}{}={}", text.empty() ? "" : " ", macro.name, macro.value);
  }
  if (key.spec_constants.empty()) return text;
  text += text.empty() ? "[" : " [";
  for (std::size_t i = 0; i < key.spec_constants.size(); ++i) {
    text += vkgpt::format("{}{}", i == 0 ? "" : ",", key.spec_constants[i]);
  }
  return text + "]";
}

std::string describe(const PipelineKey& key) {
  const std::string variant = variant_text(key);
  return variant.empty() ? key.stem : vkgpt::format("{} {}", key.stem, variant);
}

}  // namespace vkgpt::vk
