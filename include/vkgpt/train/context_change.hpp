#pragma once

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::train {

/// The shape of a model that a new run starts from, with what flags may change of it: a context that is
/// shorter or, where positions are rotary, longer (`block_size`), and how their turning is stretched
/// (`rope_theta`, `rope_scaling` and what belongs to it). Parameters stay as they are. `fields` tell which of
/// `wished` were set. Throws a usage error for a longer context of learned positions.
model::GptConfig with_changed_context(model::GptConfig loaded, const model::GptConfig& wished,
                                      const FieldSet& fields);

}  // namespace vkgpt::train
