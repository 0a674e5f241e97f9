#include "cli/sweep/sweep_config.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <yaml-cpp/yaml.h>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/aliases.hpp"
#include "cli/command/arguments.hpp"
#include "cli/command/config_file.hpp"
#include "cli/command/presets.hpp"
#include "cli/train/train_settings.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxValues = 10'000;

class SweepReader {
 public:
  explicit SweepReader(std::string where) : where_(std::move(where)) {}

  SweepConfig read(const YAML::Node& root) {
    if (!root.IsMap()) fail_usage("{}: expected a map with 'parameters'", where_);
    for_each_entry(root, [&](const std::string& key, const YAML::Node& value) { read_entry(key, value); });
    if (config_.parameters.empty()) {
      fail_usage("{}: 'parameters' is missing: give the settings to search over", where_);
    }
    if (config_.random && config_.runs == 0) {
      fail_usage("{}: a random search needs 'runs', how many to make", where_);
    }
    for (const SweepParameter& parameter : config_.parameters) {
      if (!config_.random && parameter.values.empty() && parameter.count == 0) {
        fail_usage("{}: '{}' has a range: in a grid it needs 'count', its number of values", where_,
                   parameter.key);
      }
      check_free(parameter.key);
    }
    return std::move(config_);
  }

 private:
  std::string place(const YAML::Node& node) const {
    return vkgpt::format("{}, line {}", where_, node.Mark().line + 1);
  }

  std::string scalar(const YAML::Node& node, std::string_view key) const {
    if (!node.IsScalar()) fail_usage("{}: '{}' must be a single value", place(node), printable(key));
    return node.Scalar();
  }

  template <typename Visit>
  void for_each_entry(const YAML::Node& map, const Visit& visit) const {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = scalar(entry.first, "a key");
      if (!seen.insert(key).second) {
        fail_usage("{}: key '{}' is there twice", place(entry.first), printable(key));
      }
      visit(key, entry.second);
    }
  }

  template <typename Integer>
  Integer integer(const YAML::Node& node, std::string_view key, Integer least) const {
    Integer value = 0;
    if (!YAML::convert<Integer>::decode(node, value) || value < least) {
      fail_usage("{}: '{}' must be an integer of at least {}", place(node), key, least);
    }
    return value;
  }

  void read_entry(const std::string& key, const YAML::Node& value) {
    if (key == "method") {
      const std::string method = scalar(value, key);
      if (method != "grid" && method != "random") {
        fail_usage("{}: method = '{}': expected grid or random", place(value), printable(method));
      }
      config_.random = method == "random";
    } else if (key == "runs") {
      config_.runs = integer<std::int64_t>(value, key, 1);
    } else if (key == "seed") {
      config_.seed = integer<std::uint64_t>(value, key, 0);
    } else if (key == "out_dir") {
      config_.out_dir = scalar(value, key);
      if (config_.out_dir.empty()) fail_usage("{}: 'out_dir' is empty", place(value));
    } else if (key == "base") {
      read_base(value);
    } else if (key == "parameters") {
      if (!value.IsMap()) fail_usage("{}: 'parameters' must be a map from settings to values", place(value));
      for_each_entry(value, [&](const std::string& name, const YAML::Node& values) {
        read_parameter(canonical_key(name), values);
      });
    } else {
      fail_unknown(key, value,
                   std::array<std::string, 6>{"method", "runs", "seed", "out_dir", "base", "parameters"});
    }
  }

  [[noreturn]] void fail_unknown(const std::string& key, const YAML::Node& node,
                                 std::span<const std::string> known) const {
    const std::string nearest = nearest_word(key, known);
    fail_usage("{}: unknown key '{}'{}", place(node), printable(key),
               nearest.empty() ? "" : vkgpt::format(": did you mean '{}'?", nearest));
  }

  /// What a configuration file may hold: values, lists of them, null for the default, and sections of these.
  void read_settings(const YAML::Node& map, std::vector<Setting>& settings, bool in_section = false) const {
    for_each_entry(map, [&](const std::string& key, const YAML::Node& node) {
      if (node.IsNull()) return;
      if (node.IsMap() && !in_section && is_config_section(key)) return read_settings(node, settings, true);
      std::string text;
      if (node.IsSequence()) {
        for (const YAML::Node& item : node) text += (text.empty() ? "" : ",") + scalar(item, key);
      } else {
        text = scalar(node, key);
      }
      settings.push_back({.key = canonical_key(key),
                          .text = std::move(text),
                          .origin = SettingOrigin::kConfigFile,
                          .where = place(node)});
    });
  }

  void read_base(const YAML::Node& value) {
    std::vector<Setting> settings;
    if (value.IsScalar()) {
      settings = read_config_file(value.Scalar());
    } else if (value.IsMap()) {
      read_settings(value, settings);
    } else {
      fail_usage("{}: 'base' must be a map of settings or the path of a configuration", place(value));
    }
    TrainSettings train;
    config_.base = translate_all(train.fields, settings);
    for (const Setting& setting : config_.base) train.fields.set(setting);
  }

  void read_parameter(const std::string& name, const YAML::Node& node) {
    TrainSettings train;
    SweepParameter parameter;
    parameter.key = name;
    const YAML::Node listed = node.IsMap() && node["values"] ? node["values"] : node;
    if (listed.IsSequence()) {
      for (const YAML::Node& value : listed) add_value(train, parameter, scalar(value, name), place(value));
      if (parameter.values.empty()) fail_usage("{}: '{}' has no values", place(node), printable(name));
    } else if (node.IsMap()) {
      read_range(train, parameter, node);
    } else {
      add_value(train, parameter, scalar(node, name), place(node));
    }
    if (std::ranges::find(config_.parameters, parameter.key, &SweepParameter::key) !=
        config_.parameters.end()) {
      fail_usage("{}: '{}' is there twice", place(node), parameter.key);
    }
    config_.parameters.push_back(std::move(parameter));
  }

  /// Checks the value and keeps it under our name of the key.
  void add_value(TrainSettings& train, SweepParameter& parameter, const std::string& text,
                 const std::string& where) const {
    const Setting setting{
        .key = parameter.key, .text = text, .origin = SettingOrigin::kConfigFile, .where = where};
    const auto meant = translate(train.fields, setting);
    if (!meant) fail_usage("{}: '{}' changes nothing here: leave it out", where, printable(parameter.key));
    train.fields.set(*meant);
    if (train.fields.find(meant->key)->info.file_only) {
      fail_usage("{}: '{}' cannot be searched over", where, meant->key);
    }
    parameter.values.push_back(meant->text);
    if (parameter.values.size() > kMaxValues) fail_usage("{}: more than {} values", where, kMaxValues);
    parameter.key = meant->key;
  }

  void read_range(TrainSettings& train, SweepParameter& parameter, const YAML::Node& node) const {
    SweepParameter ends{.key = parameter.key, .values = {}};
    bool has[2] = {false, false};
    for_each_entry(node, [&](const std::string& key, const YAML::Node& value) {
      if (key == "min" || key == "max") {
        has[key == "max"] = true;
        add_value(train, ends, scalar(value, key), place(value));
        if (!YAML::convert<double>::decode(value, key == "min" ? parameter.min : parameter.max)) {
          fail_usage("{}: '{}' of '{}' must be a number", place(value), key, printable(parameter.key));
        }
      } else if (key == "scale") {
        const std::string scale = scalar(value, key);
        if (scale != "log" && scale != "linear") {
          fail_usage("{}: scale = '{}': expected log or linear", place(value), printable(scale));
        }
        parameter.logarithmic = scale == "log";
      } else if (key == "count") {
        parameter.count = integer<std::int64_t>(value, key, 1);
        if (parameter.count > static_cast<std::int64_t>(kMaxValues)) {
          fail_usage("{}: more than {} values", place(value), kMaxValues);
        }
      } else {
        fail_unknown(key, value, std::array<std::string, 5>{"min", "max", "scale", "count", "values"});
      }
    });
    if (!has[0] || !has[1]) {
      fail_usage("{}: '{}' needs 'min' and 'max', or a list of values", place(node),
                 printable(parameter.key));
    }
    parameter.key = ends.key;
    const Field& field = *train.fields.find(parameter.key);
    parameter.whole = std::holds_alternative<std::int64_t*>(field.value) ||
                      std::holds_alternative<std::uint64_t*>(field.value);
    if (!(parameter.min < parameter.max)) {
      fail_usage("{}: 'min' of '{}' is not below 'max'", place(node), parameter.key);
    }
    if (parameter.logarithmic && parameter.min <= 0) {
      fail_usage("{}: scale log needs 'min' of '{}' above 0", place(node), parameter.key);
    }
  }

  void check_free(const std::string& key) const {
    for (const char* const ours : {"out_dir", "resume", "json", "preset", "config"}) {
      if (key == ours) fail_usage("{}: '{}' cannot be searched over", where_, key);
    }
  }

  std::string where_;
  SweepConfig config_;
};

}  // namespace

SweepConfig read_sweep_config(const Path& path) {
  const std::string text = read_file(path, kMaxBytes);
  const std::string where = printable(path.string(), 200);
  try {
    return SweepReader(where).read(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    fail_usage("{}, line {}: not valid YAML: {}", where, error.mark.line + 1, printable(error.msg, 100));
  }
}

}  // namespace vkgpt::cli
