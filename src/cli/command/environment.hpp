#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::cli {

/// What the `VKGPT_*` variables say.
struct Environment {
  std::vector<Setting> settings;
  std::string config_path;  ///< of VKGPT_CONFIG
};

/// Reads `variables` ("NAME=value"). A field of another command is skipped, so that one environment serves
/// all; a name that no command knows is warned of. VKGPT_TEST_* and VKGPT_EXPECT_* are left to the test
/// suite.
Environment read_environment(const FieldSet& fields, std::span<const std::string> variables);

/// Whether the variables of all commands are being listed: those of `fields` are taken down then, and the
/// command has nothing else to do.
bool lists_variables(const FieldSet& fields);

/// The variables of this process.
std::vector<std::string> environment_variables();

}  // namespace vkgpt::cli
