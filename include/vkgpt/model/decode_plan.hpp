#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/adapter.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::model {

struct DecodeOptions {
  std::int64_t slots = 1;                // sequences whose keys and values are kept
  DType dtype = DType::kF32;             // of matrices and activations: f32 or f16
  std::optional<BlockType> blocks = {};  // of matrices in place of `dtype`, see `block_type_of`
  /// Of keys and values. No value: `dtype`, but f16 beside matrices in blocks on GPUs that store 16 bits.
  std::optional<DType> cache = {};
  /// Whether tokens are drawn on the device, so that logits cross the bus only where the host wants them. No
  /// value: on all but CPU drivers.
  std::optional<bool> draws = {};
};

/// The choices of `--dtype` in commands that decode.
inline constexpr const char* kDecodeTypes = "f32|f16|q8_0|q4_0|nf4";

/// The options that a choice stands for: in blocks of few bits are matrices alone, activations are f32 then.
DecodeOptions decode_options(std::string_view dtype, std::int64_t slots);

/// Segments and tensors of the decode plan. A row is a token with its place, (position, slot), as
/// `ops::attention_decode` says. What a row computes has the same bits in every segment of its kind, steps or
/// runs, whatever the other rows are, and on CPU drivers in both kinds.
namespace decode {
inline constexpr std::int64_t kMostRows = 16;            // of one step
inline constexpr const char* kTokens = "decode_tokens";  // (most rows of a segment) i32, upload
inline constexpr const char* kPlaces = "decode_places";  // (the same, 2) i32, upload
/// (the same) i32, upload, where there are adapters: the one that a row has, -1 for none.
inline constexpr const char* kAdapters = "decode_adapters";
/// (kMostRows or fewer, Vp) f32, readback. Where tokens are drawn on the device, `logits_segment` fills it.
inline constexpr const char* kLogits = "logits";
/// Where tokens are drawn on the device, for each row of logits: `ops::SampleControl` (the same rows, its
/// words) u32, upload; `ops::Sampled` (the same rows, 2) u32, readback.
inline constexpr const char* kControls = "sample_controls";
inline constexpr const char* kDrawn = "drawn";

/// The type of keys and values in the plan of these options.
DType cache_dtype(const DecodeOptions& options, const vk::DeviceCaps& caps);
/// Whether the plan of these options draws tokens.
bool draws(const DecodeOptions& options, const vk::DeviceCaps& caps);

/// Rows for which a step, one token of each of several sequences, is recorded: 1, 2, 4, ... A step of fewer
/// rows is padded to the next one. The last is that of all slots, or kMostRows.
std::vector<std::int64_t> step_rows(const DecodeOptions& options);
/// The segment of a step; its logits are the first `rows` of kLogits.
std::string step_segment(std::int64_t rows);

/// Rows for which a run, neighbouring tokens of one sequence, is recorded. The last is what a run may have.
std::vector<std::int64_t> run_rows(const GptConfig& config);
/// The segment of a run, StepParams.token_count tokens of which are real. The first row of kLogits is that of
/// the last real token.
std::string run_segment(std::int64_t rows);

/// Where tokens are drawn on the device: the segment that copies the first `rows` (of `step_rows`) rows of
/// logits that the last step or run computed to kLogits.
std::string logits_segment(std::int64_t rows);
}  // namespace decode

/// Decoding with a cache of keys and values as data. `params` and `adapters`, from which each row chooses,
/// outlive the call only. Throws usage errors where the caches are more than the device binds at once.
plan::Plan build_decode_plan(const GptParams& params, const vk::Target& target,
                             const DecodeOptions& options = {}, std::span<const Adapter> adapters = {});

/// Copies a model's parameters into the tensors that its decode plan of the same types reads. Throws `Error`
/// for a value that those cannot hold.
void upload_decode_params(plan::TensorStore& store, const GptParams& params, const ParamSource& source,
                          const DecodeOptions& options = {}, std::span<const Adapter> adapters = {});

}  // namespace vkgpt::model
