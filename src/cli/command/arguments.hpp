#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::cli {

/// What stands on a command line after the command's name.
struct Arguments {
  std::vector<Setting> settings;
  std::vector<std::string> positionals;
  std::string config_path;  ///< of --config
  std::string help;         ///< --help, -h ("text") or --help=FORMAT is there; the rest is not looked at
};

/// Takes flags apart: `--flag value` and `--flag=value`, with - or _ between words; `--flag`, `--no-flag` and
/// `--flag false` for booleans; `--` ends the flags; the last of several counts. Values are not parsed yet.
/// Usage errors: an unknown flag, a value that is missing.
Arguments read_arguments(const FieldSet& fields, std::span<const std::string> args);

/// The name of the field that `key`, as a user wrote it, means: "n-layer" is "n_layer".
std::string canonical_key(std::string_view key);

}  // namespace vkgpt::cli
