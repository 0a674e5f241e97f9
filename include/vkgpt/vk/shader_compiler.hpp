#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/vk/shader_sources.hpp"
#include "vkgpt/vk/spirv_interface.hpp"

namespace vkgpt::vk {

struct Macro {
  std::string name;
  std::string value;
  auto operator<=>(const Macro&) const = default;
};

/// `$XDG_CACHE_HOME/vkgpt`, else `~/.cache/vkgpt`; empty when there is no home (then nothing is cached).
std::filesystem::path default_cache_dir();

/// SPIR-V and what it expects of its host.
struct CompiledShader {
  std::vector<std::uint32_t> words;
  SpirvInterface interface;
};

/// Turns GLSL into SPIR-V 1.6 with glslang, once per source, macros and compiler version: the result is kept
/// on disk. A damaged or unwritable cache costs a compilation, never a failure.
class ShaderCompiler {
 public:
  /// An empty `cache_dir` turns the disk cache off. `shader_dir`: see `ShaderSources`.
  explicit ShaderCompiler(std::filesystem::path cache_dir, std::filesystem::path shader_dir = {});

  /// `shaders/<stem>.comp`. Where it does not compile, an embedded shader is a defect (`CheckFailure` with
  /// the compiler's log); for one of a folder, an `Error` has the first line of the log.
  CompiledShader compile(const std::string& stem, const std::vector<Macro>& macros);
  /// The same for GLSL text of tests and benchmarks. `#include` finds the includes of `ShaderSources`.
  CompiledShader compile_text(const std::string& stem, std::string_view text,
                              const std::vector<Macro>& macros);

  /// Shaders compiled by this object, that is, not found in the cache.
  int compiled_count() const { return compiled_count_; }

 private:
  std::filesystem::path cache_dir_;
  ShaderSources sources_;
  int compiled_count_ = 0;
};

}  // namespace vkgpt::vk
