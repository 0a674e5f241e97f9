#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace vkgpt::vk {

/// The files of `shaders/`: those embedded in the program or, for whoever edits kernels, those of a folder,
/// each read when it is first needed.
class ShaderSources {
 public:
  /// An empty `directory` stands for the embedded files. Throws `Error` when it is not a folder.
  explicit ShaderSources(std::filesystem::path directory = {});

  bool are_embedded() const { return directory_.empty(); }
  /// The text of "linear_forward.comp" or "include/grid.glsl", for as long as this object lives.
  std::optional<std::string_view> find(const std::string& name);
  /// The same; throws where there is none: `Error` for a file of the folder, `CheckFailure` else.
  std::string_view get(const std::string& name);
  /// The file as messages name it.
  std::string display_name(const std::string& name) const;

 private:
  std::filesystem::path directory_;
  std::map<std::string, std::optional<std::string>, std::less<>> read_;
};

}  // namespace vkgpt::vk
