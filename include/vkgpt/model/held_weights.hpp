#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/plan/tensor_store.hpp"

namespace vkgpt::model {

/// The type in which a device holds a parameter where matrices are held in blocks of `wanted`: that type for
/// the matrices of linear layers; the token table and the classifier, which suffer most from few bits, are
/// never in fewer than Q8_0's; none, which is to say elements, for adapters, position embeddings, norms and
/// biases.
std::optional<BlockType> block_type_of(const ParamSpec& spec, std::optional<BlockType> wanted);

/// Throws a usage error for a matrix whose rows are not whole blocks.
void check_blocks(const GptParams& params, BlockType wanted);

/// Tells held parameters from others, however many rows are read at a time.
struct HeldDigest {
  Sha256 numbers;  // in f32, or quantized
  Sha256 scales;

  std::string hex() const { return sha256(numbers.hex() + scales.hex()); }
};

/// Copies every parameter that a plan with matrices in blocks of `type` holds outside of its arenas, a few
/// rows at a time: where there are adapters all but those, else all. Throws `Error` for a number that its
/// type cannot hold. `digest` takes what was copied in.
void upload_held(plan::TensorStore& store, const GptParams& params, const ParamSource& source, BlockType type,
                 HeldDigest* digest = nullptr);

/// The name of a parameter that lies in f32 outside of the arenas.
std::string f32_param_tensor(std::string_view name);

/// The name of a matrix in blocks among a plan's persistent tensors; its scales are in "NAME.scales".
std::string block_tensor(std::string_view name);

}  // namespace vkgpt::model
