#pragma once

#include "vkgpt/text/generate/generate_config.hpp"
#include "vkgpt/text/generate/sampler.hpp"

#include "cli/run_options.hpp"

namespace vkgpt::cli {

/// Writes the texts that `config` asks for to standard output; gives the exit code.
int generate(const text::GenerateConfig& config, const text::SamplerConfig& sampling, const RunOptions& run);

}  // namespace vkgpt::cli
