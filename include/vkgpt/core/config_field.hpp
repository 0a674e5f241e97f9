#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vkgpt {

/// The description of a configuration field. Flags, files, environment, help, checkpoints and messages all
/// read it from the struct's `visit_fields`.
struct FieldInfo {
  std::string_view name;   ///< snake_case, as in files and in JSON
  std::string_view group;  ///< heading in the help
  std::string_view help;   ///< one line
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_open = false;            ///< `min` itself is refused
  bool max_open = false;            ///< `max` itself is refused
  std::string_view choices = {};    ///< strings only: "off|core|sync"
  std::string_view zero_name = {};  ///< integers only: a word for 0, such as "auto"
  bool file_only = false;           ///< saved and read back, but neither a flag nor a variable
};

/// The types that a field may have.
using FieldRef = std::variant<bool*, std::int64_t*, std::uint64_t*, double*, std::string*>;

/// Where a setting was read; decides how a message spells its key.
enum class SettingOrigin {
  kFlag,         ///< `where` is the flag as it was typed
  kEnvironment,  ///< `where` is the variable
  kConfigFile,   ///< `where` is the file, with its line where that is known
  kSavedFile,    ///< the same for a file that vkgpt wrote: a wrong value is exit 1, not 2
};

/// One "key = value" on its way into a field.
struct Setting {
  std::string key;
  std::string text;
  SettingOrigin origin = SettingOrigin::kFlag;
  std::string where;
};

/// A field of a configuration struct that lives elsewhere.
struct Field {
  FieldInfo info;
  FieldRef value;
  std::string default_text;  ///< the value when it was added
  std::string where;         ///< where its value was set; empty for the default

  bool is_bool() const { return std::holds_alternative<bool*>(value); }
  /// The value as a flag would take it.
  std::string text() const;
  /// "an integer from 1 to 1024", "true or false", "one of off|core|sync".
  std::string allowed() const;
};

/// The fields of one or several configuration structs under one roof. It refers to the structs and must not
/// outlive them.
///
/// A configuration struct T offers
///   template <typename Visitor, typename Self> static void visit_fields(Visitor&& visit, Self& self)
/// which calls `visit(FieldInfo, member)` for every member.
class FieldSet {
 public:
  FieldSet() = default;
  template <typename Config>
  explicit FieldSet(Config& config) {
    add(config);
  }

  /// Adds every field of `config`; a name that is already there is a defect.
  template <typename Config>
  void add(Config& config) {
    Config::visit_fields([this](const FieldInfo& info, auto& member) { add_field(info, &member); }, config);
  }

  std::span<const Field> fields() const { return fields_; }
  const Field* find(std::string_view name) const;
  /// Whether a setting (not the default) decided the field.
  bool was_set(std::string_view name) const;
  /// Names that a setting of this origin may have.
  std::vector<std::string> names(SettingOrigin origin) const;

  /// Parses and stores. An unknown key, a value of the wrong type and one out of range are usage errors that
  /// name key, value, place and what is allowed.
  void set(const Setting& setting);

 private:
  void add_field(const FieldInfo& info, FieldRef value);

  std::vector<Field> fields_;
};

/// "--n_layer", "VKGPT_N_LAYER" or "'n_layer'".
std::string spell_key(SettingOrigin origin, std::string_view key);

/// Reads true, false, yes, no, on, off, 1, 0; false where `text` is none of them.
bool parse_bool(std::string_view text, bool& value);

}  // namespace vkgpt
