#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::model {

/// What a PEFT adapter_config.json says.
struct AdapterSettings {
  std::int64_t rank = 0;
  double alpha = 0;
  double scale = 0;                  // alpha / r, or rsLoRA's alpha / sqrt(r)
  std::vector<std::string> targets;  // none where it gives a pattern instead of a list
  std::vector<std::string> excluded;
  bool excludes_pattern = false;  // what is excluded is a pattern instead of a list
};

/// Throws `Error`, one line, for anything but plain LoRA of one rank.
AdapterSettings read_adapter_settings(const Path& path);

}  // namespace vkgpt::model
