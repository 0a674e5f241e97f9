#include <cstddef>
#include <cstdint>

#include "fuzz/fuzz_target.hpp"

/// libFuzzer's entry; the program holds one target.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  vkgpt::fuzz::run(vkgpt::fuzz::targets().front().second, input);
  return 0;
}
