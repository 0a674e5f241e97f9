#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/core/file.hpp"

namespace vkgpt::cli {

/// The settings of a configuration file: JSON where its name ends in .json, else YAML; in both a flat map of
/// keys and single values, some of which may stand in sections (`is_config_section`). Throws `IoError` where
/// it cannot be read, and usage errors that name the file (and the line, in YAML) for anything else: nested
/// values, aliases, duplicate keys, several documents, more than 1 MiB.
std::vector<Setting> read_config_file(const Path& path);

/// The same for YAML text; `where` names it in messages.
std::vector<Setting> read_flat_yaml(std::string_view text, const std::string& where);

}  // namespace vkgpt::cli
