#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/core/file.hpp"

namespace vkgpt::train {

/// The settings that a run was started with, in its directory.
inline constexpr const char* kEffectiveConfig = "effective_config.json";

/// A setting of a continued run that is given another value.
struct SettingChange {
  std::string name;
  std::string before;
  std::string after;
};

/// The settings saved in a run directory, without those that belong to one start of the program rather than
/// to the run (`resume`, `out_dir`, ...); none where the directory has none. Throws `Error` for a damaged
/// file.
std::vector<Setting> saved_settings(const Path& run_directory);

/// Sets the fields of a run: `saved` first, then what is given now. The saved values that changed.
std::vector<SettingChange> apply_settings(FieldSet& fields, std::span<const Setting> saved,
                                          std::span<const Setting> given);

}  // namespace vkgpt::train
