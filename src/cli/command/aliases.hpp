#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::cli {

/// One line of the table by which the configurations and command lines of other trainers run unchanged.
struct Alias {
  std::string_view name;        ///< their key; it may also be one of ours, for values that only they know
  std::string_view value = {};  ///< their value that the line is about; empty: every value
  std::string_view key = {};    ///< ours; empty: there is nothing to set
  std::string_view to = {};     ///< our value; empty: theirs
  std::string_view note = {};   ///< said where there is nothing to set but something to know
  bool weak = false;            ///< gives way to another spelling of the same key in the same file
};

std::span<const Alias> aliases();

/// Whether `name` can stand for a setting in `fields`, or for none at all.
bool is_alias(const FieldSet& fields, std::string_view name);

/// Whether another trainer has `--name` as a switch: without a value it means true.
bool is_switch(std::string_view name);

/// Whether `name` is another spelling of a boolean setting of ours.
bool means_boolean(const FieldSet& fields, std::string_view name);

/// What `setting` means here: itself where no line is about it, nothing where it is accepted without effect.
/// A usage error where `setting.key` is theirs alone and the value is none that its lines know.
std::optional<Setting> translate(const FieldSet& fields, Setting setting);

/// The same for all settings of one file. Two spellings of one key that disagree are a usage error.
std::vector<Setting> translate_all(const FieldSet& fields, std::span<const Setting> settings);

}  // namespace vkgpt::cli
