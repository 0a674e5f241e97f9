#pragma once

#include <string_view>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/gpt_config.hpp"

#include "model/hf_members.hpp"

namespace vkgpt::model {

/// `model_type` of Gemma3ForCausalLM (arXiv:2503.19786).
inline constexpr std::string_view kGemma3 = "gemma3_text";

/// Whether a model has something that, of transformers' classes, only Gemma3ForCausalLM has.
bool has_gemma3_parts(const GptConfig& config);
/// Whether Gemma3ForCausalLM computes the same as a model that has them.
bool is_gemma3(const GptConfig& config);

/// What the class has beside LlamaForCausalLM's, but for rotary positions and layers that differ. The sizes
/// of `config` are known. Throws `Error`, one line, for what this version lacks.
void read_gemma3(const Members& members, GptConfig& config);
/// The same as members of a config.json.
void write_gemma3(const GptConfig& config, nlohmann::ordered_json& json);

/// Of "rope_parameters" or "rope_scaling" the part for layers that see everything: transformers 5 has one for
/// each kind of layer, 4 had this alone.
const Json& gemma3_full_rope(const Json& rope);
/// The base of the positions in layers with a window.
void read_gemma3_local_rope(const Members& members, GptConfig& config);

/// One way to say what follows from the sizes.
void resolve_gemma3(GptConfig& config);

}  // namespace vkgpt::model
