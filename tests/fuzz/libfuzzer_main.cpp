#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <print>

#include "fuzz/fuzz_target.hpp"

namespace {

vkgpt::fuzz::Target g_target = nullptr;

}  // namespace

/// libFuzzer's entries. The program holds every target; the variable VKGPT_FUZZ_TARGET names the one to run.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("VKGPT_FUZZ_TARGET");
  for (const auto& [known, target] : vkgpt::fuzz::targets()) {
    if (name != nullptr && known == name) g_target = target;
  }
  if (g_target != nullptr) return 0;
  std::print(stderr, "VKGPT_FUZZ_TARGET must be one of:");
  for (const auto& [known, target] : vkgpt::fuzz::targets()) std::print(stderr, " {}", known);
  std::print(stderr, "\n");
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vkgpt::fuzz::run(g_target, std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
