#include "cli/command/command_line.hpp"

#include <algorithm>
#include <cstddef>
#include <format>
#include <iterator>
#include <print>
#include <string_view>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/aliases.hpp"
#include "cli/command/arguments.hpp"
#include "cli/command/config_file.hpp"
#include "cli/command/environment.hpp"
#include "cli/command/help_text.hpp"
#include "cli/command/presets.hpp"

namespace vkgpt::cli {
CommandLine::CommandLine(std::string name, std::string summary, std::string positionals)
    : name_(std::move(name)), summary_(std::move(summary)), positional_usage_(std::move(positionals)) {}

bool CommandLine::parse(std::span<const std::string> args) {
  if (lists_variables(fields_)) return false;
  Arguments arguments = read_arguments(fields_, args);
  if (!arguments.help.empty()) {
    std::print("{}", help(arguments.help));
    return false;
  }
  if (positional_usage_.empty() && !arguments.positionals.empty()) {
    fail_usage("unexpected argument '{}': 'vkgpt {} --help' shows what it takes",
               printable(arguments.positionals.front()), name_);
  }
  Environment environment = read_environment(fields_, environment_variables());
  const std::string& config_path =
      arguments.config_path.empty() ? environment.config_path : arguments.config_path;
  std::vector<Setting> settings;
  if (!config_path.empty()) settings = translate_all(fields_, read_config_file(config_path));
  std::ranges::move(environment.settings, std::back_inserter(settings));
  std::ranges::move(arguments.settings, std::back_inserter(settings));
  const std::vector<Setting> saved = saved_settings(settings);
  std::vector<Setting> all = saved;
  all.insert(all.end(), settings.begin(), settings.end());
  apply_preset(all);
  changes_ = train::apply_settings(fields_, saved, settings);
  positionals_ = std::move(arguments.positionals);
  return true;
}

std::vector<Setting> CommandLine::saved_settings(std::span<const Setting> settings) const {
  if (!continues_runs_) return {};
  const auto text_of = [&](std::string_view key) {
    std::string text = fields_.find(key)->text();
    for (const Setting& setting : settings) {
      if (setting.key == key) text = setting.text;
    }
    return text;
  };
  bool resumes = false;
  if (!parse_bool(text_of("resume"), resumes) || !resumes) return {};
  return train::saved_settings(text_of("out_dir"));
}

void CommandLine::apply_preset(std::span<const Setting> settings) {
  if (fields_.find("preset") == nullptr) return;
  std::string name;
  for (const Setting& setting : settings) {
    if (setting.key == "preset") name = setting.text;
  }
  if (name.empty()) return;
  for (const Setting& setting : preset_settings(find_preset(name))) {
    if (fields_.find(setting.key) != nullptr) fields_.set(setting);
  }
}

std::string CommandLine::help(std::string_view format) const {
  return help_text(
      {.command = name_, .summary = summary_, .positionals = positional_usage_, .fields = fields_.fields()},
      format);
}

}  // namespace vkgpt::cli
