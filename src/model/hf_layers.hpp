#pragma once

#include <string>
#include <string_view>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/gpt_config.hpp"

#include "model/hf_members.hpp"

namespace vkgpt::model {

/// The shortest beginning of `layers`, a letter a layer, that repeated gives all of it.
std::string shortest_pattern(std::string_view layers);

/// What layers differ in: which have a sliding window, which have rotary positions. The sizes of `config` are
/// known. Throws `Error`, one line, for lists that do not fit the model and for layers of other kinds.
void read_hf_layers(const Members& members, std::string_view type, GptConfig& config);

/// The same as members of a config.json of the class `type`.
void write_hf_layers(const GptConfig& config, std::string_view type, nlohmann::ordered_json& json);

/// One way to say which layers are of which kind.
void resolve_layers(GptConfig& config);

}  // namespace vkgpt::model
