#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::model {

/// The type in which a device holds a parameter where matrices are held in blocks of `wanted`: that type for
/// the matrices of linear layers; Q8_0 for the token table and the classifier, which suffer most from fewer
/// bits; none, which is to say elements, for adapters, position embeddings, norms and biases.
std::optional<BlockType> block_type_of(const ParamSpec& spec, std::optional<BlockType> wanted);

/// Throws a usage error for a matrix whose rows are not whole blocks.
void check_blocks(const GptParams& params, BlockType wanted);

/// The name of a matrix in blocks among a plan's persistent tensors; its scales are in "NAME.scales".
std::string block_tensor(std::string_view name);

}  // namespace vkgpt::model
