#include "vkgpt/vk/shader_compiler.hpp"

#include <cstdlib>
#include <cstring>
#include <format>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include <glslang/Public/ResourceLimits.h>
#include <glslang/Public/ShaderLang.h>
#include <glslang/SPIRV/GlslangToSpv.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/hash.hpp"

#include "vk/cache_file.hpp"
#include "vk/shader_source.hpp"

namespace vkgpt::vk {
namespace {

// Raised when the options below change, so that older cache entries are not found.
constexpr int kCacheVersion = 1;

const ShaderSource* find_source(std::string_view name) {
  for (const ShaderSource& source : embedded_shaders()) {
    if (source.name == name) return &source;
  }
  return nullptr;
}

/// `#include "x.glsl"` is shaders/include/x.glsl.
const ShaderSource* find_include(std::string_view name) {
  return find_source(std::format("include/{}", name));
}

class EmbeddedIncluder : public glslang::TShader::Includer {
 public:
  IncludeResult* includeLocal(const char* header, const char*, std::size_t) override {
    const ShaderSource* source = find_include(header);
    if (source == nullptr) return nullptr;
    return new IncludeResult(header, source->text.data(), source->text.size(), nullptr);
  }
  void releaseInclude(IncludeResult* result) override { delete result; }
};

/// Appends the texts that `text` includes, directly or not, each once. It does not look at conditionals: an
/// include that is not taken only makes the cache key stricter.
void collect_includes(std::string_view text, std::set<std::string_view>& names) {
  constexpr std::string_view kDirective = "#include \"";
  for (std::size_t at = text.find(kDirective); at != text.npos; at = text.find(kDirective, at)) {
    at += kDirective.size();
    const ShaderSource* source = find_include(text.substr(at, text.find('"', at) - at));
    if (source != nullptr && names.insert(source->name).second) collect_includes(source->text, names);
  }
}

std::string cache_key(std::string_view text, const std::vector<Macro>& macros) {
  Sha256 hash;
  // Lengths keep neighbouring strings apart.
  const auto add = [&hash](std::string_view part) {
    hash.update(std::format("{}:", part.size()));
    hash.update(part);
  };
  const glslang::Version version = glslang::GetVersion();
  add(std::format("vkgpt {} glslang {}.{}.{}{}", kCacheVersion, version.major, version.minor, version.patch,
                  version.flavor));
  add(text);
  std::set<std::string_view> includes;
  collect_includes(text, includes);
  for (const std::string_view name : includes) {
    add(name);
    add(find_source(name)->text);
  }
  for (const Macro& macro : macros) {
    add(macro.name);
    add(macro.value);
  }
  return hash.hex();
}

std::vector<std::uint32_t> compile_glsl(const std::string& name, std::string_view text,
                                        const std::vector<Macro>& macros) {
  static const bool initialized = glslang::InitializeProcess();
  VKGPT_CHECK(initialized);

  std::string preamble = "#extension GL_GOOGLE_include_directive : require\n";
  for (const Macro& macro : macros) preamble += std::format("#define {} {}\n", macro.name, macro.value);
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
  EmbeddedIncluder includer;
  const bool parsed = shader.parse(GetDefaultResources(), 460, false, messages, includer);
  VKGPT_CHECK(parsed, "shader {} does not compile:\n{}", name, shader.getInfoLog());
  glslang::TProgram program;
  program.addShader(&shader);
  const bool linked = program.link(messages);
  VKGPT_CHECK(linked, "shader {} does not link:\n{}", name, program.getInfoLog());

  std::vector<std::uint32_t> words;
  // Not optimized: spirv-opt -O takes about 70 ms for a kernel that glslang compiles in 0.7 ms, and
  // lavapipe's SGEMM was no faster with it. The drivers' own compilers do the same work.
  glslang::SpvOptions options;
  options.disableOptimizer = true;
  glslang::GlslangToSpv(*program.getIntermediate(EShLangCompute), words, &options);
  VKGPT_CHECK(!words.empty(), "shader {} gave no SPIR-V", name);
  return words;
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

ShaderCompiler::ShaderCompiler(std::filesystem::path cache_dir) : cache_dir_(std::move(cache_dir)) {}

std::vector<std::uint32_t> ShaderCompiler::compile(const std::string& stem,
                                                   const std::vector<Macro>& macros) {
  const ShaderSource* source = find_source(stem + ".comp");
  VKGPT_CHECK(source != nullptr, "there is no shader {}.comp", stem);
  return compile_text(stem, source->text, macros);
}

std::vector<std::uint32_t> ShaderCompiler::compile_text(const std::string& stem, std::string_view text,
                                                        const std::vector<Macro>& macros) {
  std::filesystem::path file;
  if (!cache_dir_.empty()) {
    file = cache_dir_ / "spirv" / std::format("{}-{}.spv", stem, cache_key(text, macros));
    const std::optional<std::string> payload = read_cache_file(file);
    if (payload && !payload->empty() && payload->size() % sizeof(std::uint32_t) == 0) {
      std::vector<std::uint32_t> words(payload->size() / sizeof(std::uint32_t));
      std::memcpy(words.data(), payload->data(), payload->size());
      return words;
    }
  }
  const std::vector<std::uint32_t> words = compile_glsl(stem + ".comp", text, macros);
  ++compiled_count_;
  if (!file.empty()) write_cache_file(file, std::as_bytes(std::span(words)));
  return words;
}

}  // namespace vkgpt::vk
