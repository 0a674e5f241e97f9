#pragma once

#include "vkgpt/cli/run_options.hpp"
#include "vkgpt/text/generate_config.hpp"
#include "vkgpt/text/sampler.hpp"

namespace vkgpt::cli {

/// Writes the texts that `config` asks for to standard output; gives the exit code.
int generate(const text::GenerateConfig& config, const text::SamplerConfig& sampling, const RunOptions& run);

}  // namespace vkgpt::cli
