#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::model {

/// Segments and tensors of the decode plan, for one sequence. The parameters are `tensor::kParams`, as in the
/// train plan, and StepParams carries position and token count.
namespace decode {
inline constexpr const char* kSegment = "decode";      // one token at StepParams.position
inline constexpr const char* kToken = "decode_token";  // (1) i32, upload
inline constexpr const char* kLogits = "logits";       // (1, Vp), readback

/// Lengths for which a prefill is recorded: a prompt is padded to the next one. The last is the block size.
std::vector<std::int64_t> prefill_lengths(const GptConfig& config);
/// The segment that runs a prompt of up to `length` tokens (StepParams.token_count of them real), fills the
/// cache and leaves the logits of the last real token.
std::string prefill_segment(std::int64_t length);
/// Its tokens, (1, length) i32, upload; the padding may hold any token.
std::string prefill_tokens(std::int64_t length);
}  // namespace decode

/// Prefill and decode with a KV cache as data, in f32. `params` outlives the call only.
plan::Plan build_decode_plan(const GptParams& params, const vk::Target& target);

}  // namespace vkgpt::model
