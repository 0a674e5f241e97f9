#pragma once

#include <cstdint>

#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::cli {

/// The longest context whose cache of keys and values has room on a device: what it binds at once, and half
/// of the memory that the weights leave. At most the model's, and at least 64 tokens of it: where those have
/// no room either, the plan says so.
std::int64_t fitting_context(const model::GptParams& params, const model::DecodeOptions& options,
                             const vk::DeviceCaps& caps);

/// `params` with a context of `block_size` tokens; with 0 of `needed`, as far as the model and memory have
/// them, where a line says what memory took away. Throws a usage error for more than the model's.
model::GptParams with_context(const model::GptParams& params, std::int64_t block_size, std::int64_t needed,
                              const model::DecodeOptions& options, const vk::DeviceCaps& caps);

}  // namespace vkgpt::cli
