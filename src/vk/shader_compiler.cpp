#include "vkgpt/vk/shader_compiler.hpp"

#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include <glslang/Public/ResourceLimits.h>
#include <glslang/Public/ShaderLang.h>
#include <glslang/SPIRV/GlslangToSpv.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/log.hpp"

#include "vk/cache_file.hpp"

namespace vkgpt::vk {
namespace {

// Raised when the options below change, so that older cache entries are not found.
constexpr int kCacheVersion = 1;

constexpr std::size_t kMostIncludeDepth = 16;  // a file that includes itself ends here

/// `#include "x.glsl"` is shaders/include/x.glsl.
std::string include_path(std::string_view name) {
  return vkgpt::format("include/{}", name);
}

class Includer : public glslang::TShader::Includer {
 public:
  explicit Includer(ShaderSources& sources) : sources_(sources) {}

  IncludeResult* includeLocal(const char* header, const char*, std::size_t depth) override {
    const std::string path = include_path(header);
    const std::optional<std::string_view> text = sources_.find(path);
    if (!text || depth > kMostIncludeDepth) return nullptr;
    return new IncludeResult(sources_.display_name(path), text->data(), text->size(), nullptr);
  }
  void releaseInclude(IncludeResult* result) override { delete result; }

 private:
  ShaderSources& sources_;
};

/// Appends the files that `text` includes, directly or not, each once. It does not look at conditionals: an
/// include that is not taken only makes the cache key stricter.
void collect_includes(std::string_view text, ShaderSources& sources, std::set<std::string>& paths) {
  constexpr std::string_view kDirective = "#include \"";
  for (std::size_t at = text.find(kDirective); at != text.npos; at = text.find(kDirective, at)) {
    at += kDirective.size();
    const std::string path = include_path(text.substr(at, text.find('"', at) - at));
    const std::optional<std::string_view> included = sources.find(path);
    if (included && paths.insert(path).second) collect_includes(*included, sources, paths);
  }
}

std::string cache_key(std::string_view text, const std::vector<Macro>& macros, ShaderSources& sources) {
  Sha256 hash;
  // Lengths keep neighbouring strings apart.
  const auto add = [&hash](std::string_view part) {
    hash.update(vkgpt::format("{}:", part.size()));
    hash.update(part);
  };
  const glslang::Version version = glslang::GetVersion();
  add(vkgpt::format("vkgpt {} glslang {}.{}.{}{}", kCacheVersion, version.major, version.minor, version.patch,
                    version.flavor));
  add(text);
  std::set<std::string> includes;
  collect_includes(text, sources, includes);
  for (const std::string& path : includes) {
    add(path);
    add(sources.find(path).value());
  }
  for (const Macro& macro : macros) {
    add(macro.name);
    add(macro.value);
  }
  return hash.hex();
}

/// A kernel of the program that does not compile is a defect, one that is being edited is not.
[[noreturn]] void refuse(const ShaderSources& sources, const std::string& name, std::string_view log) {
  VKGPT_CHECK(!sources.are_embedded(), "shader {} does not compile:\n{}", name, log);
  constexpr std::string_view kPrefix = "ERROR: ";
  if (log.starts_with(kPrefix)) log.remove_prefix(kPrefix.size());
  fail("{} does not compile: {}", name, log.substr(0, log.find('\n')));
}

std::vector<std::uint32_t> compile_glsl(const std::string& name, std::string_view text,
                                        const std::vector<Macro>& macros, ShaderSources& sources) {
  static const bool initialized = glslang::InitializeProcess();
  VKGPT_CHECK(initialized);

  std::string preamble = "#extension GL_GOOGLE_include_directive : require\n";
  for (const Macro& macro : macros) preamble += vkgpt::format("#define {} {}\n", macro.name, macro.value);
  glslang::TShader shader(EShLangCompute);
  const char* strings[] = {text.data()};
  const int lengths[] = {static_cast<int>(text.size())};
  const char* names[] = {name.c_str()};
  shader.setStringsWithLengthsAndNames(strings, lengths, names, 1);
  shader.setPreamble(preamble.c_str());
  shader.setEnvInput(glslang::EShSourceGlsl, EShLangCompute, glslang::EShClientVulkan, 100);
  shader.setEnvClient(glslang::EShClientVulkan, glslang::EShTargetVulkan_1_3);
  shader.setEnvTarget(glslang::EShTargetSpv, glslang::EShTargetSpv_1_6);
  const auto messages = static_cast<EShMessages>(EShMsgSpvRules | EShMsgVulkanRules);
  Includer includer(sources);
  const bool parsed = shader.parse(GetDefaultResources(), 460, false, messages, includer);
  if (!parsed) refuse(sources, name, shader.getInfoLog());
  glslang::TProgram program;
  program.addShader(&shader);
  const bool linked = program.link(messages);
  if (!linked) refuse(sources, name, program.getInfoLog());

  std::vector<std::uint32_t> words;
  // Not optimized: spirv-opt -O takes about 70 ms for a kernel that glslang compiles in 0.7 ms, and
  // lavapipe's SGEMM was no faster with it. The drivers' own compilers do the same work.
  glslang::SpvOptions options;
  options.disableOptimizer = true;
  glslang::GlslangToSpv(*program.getIntermediate(EShLangCompute), words, &options);
  VKGPT_CHECK(!words.empty(), "shader {} gave no SPIR-V", name);
  return words;
}

/// Nothing where the file is missing, damaged or no kernel.
std::optional<CompiledShader> read_cached(const std::filesystem::path& file) {
  const std::optional<std::string> payload = read_cache_file(file);
  if (!payload || payload->empty() || payload->size() % sizeof(std::uint32_t) != 0) return std::nullopt;
  CompiledShader shader;
  shader.words.resize(payload->size() / sizeof(std::uint32_t));
  std::memcpy(shader.words.data(), payload->data(), payload->size());
  try {
    shader.interface = read_spirv_interface(shader.words);
  } catch (const Error& error) {
    log_debug("cache not used: {}: {}", file.string(), error.what());
    return std::nullopt;
  }
  return shader;
}

}  // namespace

std::filesystem::path default_cache_dir() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/') {
    return std::filesystem::path(cache) / "vkgpt";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return std::filesystem::path(home) / ".cache" / "vkgpt";
  }
  return {};
}

ShaderCompiler::ShaderCompiler(std::filesystem::path cache_dir, std::filesystem::path shader_dir)
    : cache_dir_(std::move(cache_dir)), sources_(std::move(shader_dir)) {}

CompiledShader ShaderCompiler::compile(const std::string& stem, const std::vector<Macro>& macros) {
  return compile_text(stem, sources_.get(stem + ".comp"), macros);
}

CompiledShader ShaderCompiler::compile_text(const std::string& stem, std::string_view text,
                                            const std::vector<Macro>& macros) {
  std::filesystem::path file;
  if (!cache_dir_.empty()) {
    file = cache_dir_ / "spirv" / vkgpt::format("{}-{}.spv", stem, cache_key(text, macros, sources_));
    if (std::optional<CompiledShader> cached = read_cached(file)) return *std::move(cached);
  }
  std::string settings;
  for (const Macro& macro : macros) settings += vkgpt::format(" {}={}", macro.name, macro.value);
  log_debug("compile {}{}", stem, settings);
  CompiledShader shader;
  shader.words = compile_glsl(sources_.display_name(stem + ".comp"), text, macros, sources_);
  shader.interface = read_spirv_interface(shader.words);
  ++compiled_count_;
  if (!file.empty()) write_cache_file(file, std::as_bytes(std::span(shader.words)));
  return shader;
}

}  // namespace vkgpt::vk
