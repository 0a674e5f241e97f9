#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt {

/// Whether a user's configuration may have its settings in a map of this name: other trainers split theirs
/// into "model", "training" and so on. The names of the sections mean nothing.
bool is_config_section(std::string_view name);

/// The members of a flat JSON object, in order, values as text; in a configuration file the members of
/// sections count as its own. Refuses, with one line that names `where`: anything but an object of single
/// values, a key that is there twice, and what is not JSON.
std::vector<Setting> read_flat_json(std::string_view text, SettingOrigin origin, const std::string& where);

/// Every field with its value, in the order of declaration.
nlohmann::ordered_json to_json(const FieldSet& fields);

template <typename Config>
nlohmann::ordered_json config_to_json(Config config) {
  return to_json(FieldSet(config));
}

/// The struct that `config_to_json` wrote; `where` names the file in messages. Fields that the text lacks
/// keep their defaults.
template <typename Config>
Config config_from_json(std::string_view text, const std::string& where) {
  Config config;
  FieldSet fields(config);
  for (const Setting& setting : read_flat_json(text, SettingOrigin::kSavedFile, where)) fields.set(setting);
  return config;
}

}  // namespace vkgpt
