#include <cstdint>
#include <cstring>
#include <vector>

#include "vkgpt/vk/spirv_interface.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(spirv) {
  std::vector<std::uint32_t> words(input.size() / sizeof(std::uint32_t));
  if (!words.empty()) std::memcpy(words.data(), input.data(), words.size() * sizeof(std::uint32_t));
  vk::read_spirv_interface(words);
}

}  // namespace vkgpt::fuzz
