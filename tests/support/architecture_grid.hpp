#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::test {

/// Tiny architectures (V 29, T 20, L 2, C 32 or 64, head size 16) in which every pair of choices of norm,
/// MLP, positions, key-value heads, window, QK-norm, parallel blocks, biases, tied head, MLP width and
/// soft-cap occurs at least once. The first is GPT-2, the second LLaMA.
std::vector<model::GptConfig> architecture_grid();

/// "rmsnorm_swiglu_rope_kv2_nobias": the choices of a configuration, fit for the name of a test.
std::string architecture_name(const model::GptConfig& config);

}  // namespace vkgpt::test

namespace vkgpt::model {

/// GoogleTest's way of printing a parameter.
inline void PrintTo(const GptConfig& config, std::ostream* out) {
  *out << test::architecture_name(config);
}

}  // namespace vkgpt::model
