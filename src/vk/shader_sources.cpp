#include "vkgpt/vk/shader_sources.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"

#include "vk/shader_source.hpp"

namespace vkgpt::vk {

ShaderSources::ShaderSources(std::filesystem::path directory) : directory_(std::move(directory)) {
  std::error_code error;
  if (!directory_.empty() && !std::filesystem::is_directory(directory_, error)) {
    fail("--shader_dir {} is not a folder: give one with the kernels, such as shaders of the source tree",
         directory_.string());
  }
}

std::optional<std::string_view> ShaderSources::find(const std::string& name) {
  if (are_embedded()) {
    const auto found = std::ranges::find(embedded_shaders(), std::string_view(name), &ShaderSource::name);
    if (found == embedded_shaders().end()) return std::nullopt;
    return found->text;
  }
  const auto [entry, is_new] = read_.try_emplace(name);
  std::error_code error;
  if (is_new && std::filesystem::is_regular_file(directory_ / name, error)) {
    entry->second = read_file(directory_ / name);
  }
  return entry->second;
}

std::string_view ShaderSources::get(const std::string& name) {
  const std::optional<std::string_view> text = find(name);
  if (!text && !are_embedded()) fail("--shader_dir {} has no kernel {}", directory_.string(), name);
  VKGPT_CHECK(text.has_value(), "there is no shader {}", name);
  return *text;
}

std::string ShaderSources::display_name(const std::string& name) const {
  return are_embedded() ? name : (directory_ / name).string();
}

}  // namespace vkgpt::vk
