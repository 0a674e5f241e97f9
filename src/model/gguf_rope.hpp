#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/model/gguf_file.hpp"
#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::model {

/// ggml's name of what it divides the frequencies of rotary pairs by.
inline constexpr const char* kRopeDivisors = "rope_freqs.weight";

/// `GptConfig::rope_layers` of every model of the architecture smollm3.
inline constexpr std::string_view kSmolLm3Layers = "rrrn";

/// Adds the keys "ARCHITECTURE.rope.scaling.*" of linear stretching and of YaRN.
void add_rope_scaling(const GptConfig& config, const std::string& architecture,
                      std::vector<GgufEntry>& entries);

/// Reads them, and the numbers below. The sizes and the base of `config` are known. Throws `Error` for rules
/// that this version lacks.
void read_rope_scaling(const GgufFile& file, const std::string& architecture, GptConfig& config);

/// Those numbers, one for each pair: (HS / 2), of Llama 3's stretching; none where there is none.
std::vector<float> rope_divisors(const GptConfig& config);

/// Finds the settings of Llama 3's stretching that `divisors` (HS / 2) are made with, or none where all are
/// 1; one number for all pairs is such a stretching too. Throws `Error`, which begins with `where`, for
/// others.
void set_rope_divisors(std::span<const float> divisors, GptConfig& config, const std::string& where);

}  // namespace vkgpt::model
