#include "cli/command/arguments.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/aliases.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::string_view kConfig = "config";
constexpr std::string_view kHelpFormat = "--help=";

class Reader {
 public:
  Reader(const FieldSet& fields, std::span<const std::string> args) : fields_(fields), args_(args) {}

  Arguments read() {
    while (at_ < args_.size() && out_.help.empty()) {
      const std::string& arg = args_[at_++];
      if (arg == "--") {
        while (at_ < args_.size()) out_.positionals.push_back(args_[at_++]);
      } else if (arg == "--help" || arg == "-h") {
        out_.help = "text";
      } else if (arg.starts_with(kHelpFormat)) {
        out_.help = arg.substr(kHelpFormat.size());
      } else if (arg.starts_with("--")) {
        read_flag(arg);
      } else if (arg.size() > 1 && arg[0] == '-') {
        fail_usage("unknown flag {}: flags are written as --name", printable(arg));
      } else {
        out_.positionals.push_back(arg);
      }
    }
    return std::move(out_);
  }

 private:
  void read_flag(const std::string& arg) {
    const std::size_t equals = arg.find('=');
    const bool has_value = equals != std::string::npos;
    const std::string flag = arg.substr(0, equals);
    std::string key = canonical_key(std::string_view(flag).substr(2));
    std::string value = has_value ? arg.substr(equals + 1) : "";
    if (key == kConfig) {
      set_config(has_value ? value : next_value(flag));
      return;
    }
    const Field* field = fields_.find(key);
    if (field == nullptr && key.starts_with("no_")) {
      const std::string negated = key.substr(3);
      if (is_boolean(negated) || is_switch(negated)) {
        if (has_value) fail_usage("{} takes no value: write --{}={} or {}", flag, negated, value, flag);
        add({.key = negated, .text = "false", .where = flag});
        return;
      }
    }
    if (field == nullptr ? !is_alias(fields_, key) : field->info.file_only) fail_unknown(key, flag);
    if (!has_value && is_boolean(key)) {
      value = "true";
      bool ignored = false;
      if (at_ < args_.size() && parse_bool(args_[at_], ignored)) value = args_[at_++];
    } else if (!has_value && is_switch(key) && !has_next_value()) {
      value = "true";
    } else if (!has_value) {
      value = next_value(flag);
    }
    add({.key = std::move(key), .text = std::move(value), .where = flag});
  }

  /// Whether the flag is true when it stands alone.
  bool is_boolean(std::string_view key) const {
    const Field* const field = fields_.find(key);
    if (field != nullptr) return field->is_bool();
    return is_alias(fields_, key) && (is_switch(key) || means_boolean(fields_, key));
  }

  bool has_next_value() const { return at_ < args_.size() && !args_[at_].starts_with("--"); }

  std::string next_value(const std::string& flag) {
    if (has_next_value()) return args_[at_++];
    fail_usage("{} needs a value{}", flag,
               at_ < args_.size() ? vkgpt::format(" ({0}=VALUE for one that begins with --)", flag) : "");
  }

  void add(Setting given) {
    std::optional<Setting> meant = translate(fields_, std::move(given));
    if (!meant) return;
    Setting& setting = *meant;
    const auto earlier = std::ranges::find(out_.settings, setting.key, &Setting::key);
    if (earlier != out_.settings.end()) out_.settings.erase(earlier);  // the last one counts
    out_.settings.push_back(std::move(setting));
  }

  void set_config(const std::string& path) {
    if (path.empty()) fail_usage("--config needs the path of a JSON or YAML file");
    out_.config_path = path;
  }

  [[noreturn]] void fail_unknown(const std::string& key, const std::string& flag) const {
    std::vector<std::string> known = fields_.names(SettingOrigin::kFlag);
    known.insert(known.end(), {std::string(kConfig), "help"});
    const std::string nearest = nearest_word(key, known);
    fail_usage("unknown flag {}{}", printable(flag),
               nearest.empty() ? " (--help lists them)" : vkgpt::format(": did you mean --{}?", nearest));
  }

  const FieldSet& fields_;
  std::span<const std::string> args_;
  std::size_t at_ = 0;
  Arguments out_;
};

}  // namespace

Arguments read_arguments(const FieldSet& fields, std::span<const std::string> args) {
  return Reader(fields, args).read();
}

std::string canonical_key(std::string_view key) {
  std::string name(key);
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace vkgpt::cli
