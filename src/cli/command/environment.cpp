#include "cli/command/environment.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include <unistd.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command_walk.hpp"

namespace vkgpt::cli {
namespace {

thread_local std::vector<std::string>* listed_variables = nullptr;  // where they are being listed

/// Every variable that some command reads.
std::vector<std::string> list_variables() {
  std::vector<std::string> listed = {spell_key(SettingOrigin::kEnvironment, "config")};
  listed_variables = &listed;
  for_each_command([](const std::string&, const Command& command) {
    command.run(std::array{std::string("--help=flags")});
  });
  listed_variables = nullptr;
  return listed;
}

}  // namespace

bool lists_variables(const FieldSet& fields) {
  if (listed_variables == nullptr) return false;
  for (const std::string& name : fields.names(SettingOrigin::kEnvironment)) {
    listed_variables->push_back(spell_key(SettingOrigin::kEnvironment, name));
  }
  return true;
}

Environment read_environment(const FieldSet& fields, std::span<const std::string> variables) {
  Environment environment;
  for (const std::string& variable : variables) {
    if (!variable.starts_with("VKGPT_")) continue;
    const std::size_t equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : variable.substr(equals + 1);
    if (name.starts_with("VKGPT_TEST_") || name.starts_with("VKGPT_EXPECT_")) continue;
    if (name == "VKGPT_CONFIG") {
      environment.config_path = value;
      continue;
    }
    const auto field = std::ranges::find_if(fields.fields(), [&](const Field& f) {
      return !f.info.file_only && spell_key(SettingOrigin::kEnvironment, f.info.name) == name;
    });
    if (field != fields.fields().end()) {
      environment.settings.push_back({.key = std::string(field->info.name),
                                      .text = value,
                                      .origin = SettingOrigin::kEnvironment,
                                      .where = name});
      continue;
    }
    static const std::vector<std::string> known = list_variables();
    if (!std::ranges::contains(known, name)) {
      const std::string nearest = nearest_word(name, known);
      log_warning("unknown variable {} in the environment{}", printable(name),
                  nearest.empty() ? "" : vkgpt::format(": did you mean {}?", nearest));
    }
  }
  return environment;
}

std::vector<std::string> environment_variables() {
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace vkgpt::cli
