#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::cli {

/// A named model with the values it is usually trained with.
struct Preset {
  std::string_view name;
  std::string_view summary;
  std::int64_t vocab_size = 0;  ///< of the public model; training takes the tokenizer's
  std::string_view settings;    ///< "key=value key=value"
};

std::span<const Preset> presets();

/// A usage error, with the nearest name, where there is none.
const Preset& find_preset(std::string_view name);

/// The preset's settings; they lie between the defaults and the configuration file.
std::vector<Setting> preset_settings(const Preset& preset);

/// The choice of a preset. `CommandLine` applies it to the other fields of the command.
struct PresetOptions {
  std::string preset;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "preset",
                    .group = "Preset",
                    .help = "Named model to start from; 'vkgpt plan --presets' lists them"},
          self.preset);
  }
};

/// The vocabulary of a command that has no text: the preset's, or that of tiny shakespeare's characters.
std::int64_t vocabulary_of(const PresetOptions& options);

}  // namespace vkgpt::cli
