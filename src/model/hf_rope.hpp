#pragma once

#include <string_view>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/gpt_config.hpp"

#include "model/hf_members.hpp"

namespace vkgpt::model {

/// The rotary angles, as transformers reads them: "rope_scaling", where it says anything, replaces
/// "rope_parameters"; a base or factor beside them counts where the one that is read has none. The sizes of
/// `config` are known. Throws `Error`, one line, for rules that this version lacks and for members that
/// contradict each other.
void read_hf_rope(const Members& members, std::string_view type, GptConfig& config);

/// Adds "rope_parameters", and "rope_scaling" for transformers 4.
void write_hf_rope(const GptConfig& config, std::string_view type, nlohmann::ordered_json& json);

/// Defaults of whatever does not take part in the rotary angles, and one way to say what does.
void resolve_rope(GptConfig& config);

}  // namespace vkgpt::model
