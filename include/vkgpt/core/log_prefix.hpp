#pragma once

#include <string>

namespace vkgpt {

/// Begins every line from now on, errors of `main` included: "[rank 1 node7] ". To be called while there is
/// one thread.
void set_log_prefix(std::string prefix);
const std::string& log_prefix();

}  // namespace vkgpt
