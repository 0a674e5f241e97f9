#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vkgpt::vk {

struct Macro {
  std::string name;
  std::string value;
  auto operator<=>(const Macro&) const = default;
};

/// `$XDG_CACHE_HOME/vkgpt`, else `~/.cache/vkgpt`; empty when there is no home (then nothing is cached).
std::filesystem::path default_cache_dir();

/// Turns embedded GLSL into SPIR-V 1.6 with glslang, once per source, macros and compiler version: the result
/// is kept on disk. A damaged or unwritable cache costs a compilation, never a failure.
class ShaderCompiler {
 public:
  /// An empty `cache_dir` turns the disk cache off.
  explicit ShaderCompiler(std::filesystem::path cache_dir);

  /// SPIR-V words of `shaders/<stem>.comp`. A shader that does not compile is a defect: throws `CheckFailure`
  /// with the compiler's log.
  std::vector<std::uint32_t> compile(const std::string& stem, const std::vector<Macro>& macros);
  /// The same for GLSL text that is not embedded (tests and benchmarks). `#include` finds the embedded
  /// includes.
  std::vector<std::uint32_t> compile_text(const std::string& stem, std::string_view text,
                                          const std::vector<Macro>& macros);

  /// Shaders compiled by this object, that is, not found in the cache.
  int compiled_count() const { return compiled_count_; }

 private:
  std::filesystem::path cache_dir_;
  int compiled_count_ = 0;
};

}  // namespace vkgpt::vk
