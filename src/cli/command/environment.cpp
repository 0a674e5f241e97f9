#include "cli/command/environment.hpp"

#include <algorithm>
#include <cstddef>

#include <unistd.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/text/generate/generate_config.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/presets.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

/// Every variable that some command reads.
std::vector<std::string> known_variables() {
  std::vector<std::string> known = {spell_key(SettingOrigin::kEnvironment, "config")};
  const auto append = [&]<typename Config>(Config config) {
    for (const std::string& name : FieldSet(config).names(SettingOrigin::kEnvironment)) {
      known.push_back(spell_key(SettingOrigin::kEnvironment, name));
    }
  };
  append(model::GptConfig());
  append(train::TrainConfig());
  append(text::GenerateConfig());
  append(text::SamplerConfig());
  append(RunOptions());
  append(PresetOptions());
  return known;
}

}  // namespace

Environment read_environment(const FieldSet& fields, std::span<const std::string> variables) {
  Environment environment;
  const std::vector<std::string> known = known_variables();
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
    } else if (std::ranges::find(known, name) == known.end()) {
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
