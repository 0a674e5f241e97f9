#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::model {

/// ggml's name of what it divides the frequencies of rotary pairs by.
inline constexpr const char* kRopeDivisors = "rope_freqs.weight";

/// Those numbers, one for each pair: (HS / 2); none where positions are not stretched.
std::vector<float> rope_divisors(const GptConfig& config);

/// Finds the settings of Llama 3's stretching that `divisors` (HS / 2) are made with, or none where all are
/// 1; one number for all pairs is such a stretching too. Throws `Error`, which begins with `where`, for
/// others.
void set_rope_divisors(std::span<const float> divisors, GptConfig& config, const std::string& where);

}  // namespace vkgpt::model
