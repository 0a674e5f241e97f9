#include "vkgpt/model/held_weights.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "vkgpt/core/error.hpp"

namespace vkgpt::model {

std::optional<BlockType> block_type_of(const ParamSpec& spec, std::optional<BlockType> wanted) {
  if (!wanted || spec.shape.rank() != 2 || spec.is_adapter || spec.name == "wpe.weight") return std::nullopt;
  const bool is_sixteen = *wanted == BlockType::kF16 || *wanted == BlockType::kBF16;
  if (!is_sixteen && (spec.name == "wte.weight" || spec.name == "lm_head.weight")) return BlockType::kQ8_0;
  return wanted;
}

void check_blocks(const GptParams& params, BlockType wanted) {
  for (const ParamSpec& spec : params.specs()) {
    const std::optional<BlockType> type = block_type_of(spec, wanted);
    if (!type) continue;
    const BlockFormat& format = block_format(*type);
    if (spec.shape.back() % static_cast<std::int64_t>(format.values) == 0) continue;
    fail_usage("{} cuts rows into blocks of {} numbers, but those of {} have {}", format.name, format.values,
               spec.name, spec.shape.back());
  }
}

std::string f32_param_tensor(std::string_view name) {
  return "params/" + std::string(name);
}

namespace {

/// Some numbers of a matrix from number `first` on, where a block begins.
void upload_blocks(plan::TensorStore& store, const ParamSpec& spec, BlockType type, std::size_t first,
                   std::span<const float> values) {
  const BlockFormat& format = block_format(type);
  const std::string name = block_tensor(spec.name);
  std::vector<std::uint32_t> quants(format.quant_words(values.size())),
      scales(format.scale_words(values.size()));
  encode_blocks(type, values, quants, scales);
  if (!is_finite(type, quants, scales) ||
      !std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    fail("{} holds numbers that {} cannot express: choose f32", spec.name, format.name);
  }
  store.upload(name, std::as_bytes(std::span(quants)), format.quant_words(first) * sizeof(std::uint32_t));
  if (scales.empty()) return;
  store.upload(name + ".scales", std::as_bytes(std::span(scales)),
               format.scale_words(first) * sizeof(std::uint32_t));
}

}  // namespace

void upload_held(plan::TensorStore& store, const GptParams& params, const ParamSource& source,
                 BlockType type) {
  for (const ParamSpec& spec : params.specs()) {
    if (params.adaptation().lora_rank > 0 && spec.trainable) continue;
    const std::optional<BlockType> blocks = block_type_of(spec, type);
    for_rows(source, spec, [&](std::int64_t first, std::span<const float> values) {
      if (blocks) return upload_blocks(store, spec, *blocks, static_cast<std::size_t>(first), values);
      store.upload(f32_param_tensor(spec.name), std::as_bytes(values),
                   static_cast<std::uint64_t>(first) * sizeof(float));
    });
  }
}

std::string block_tensor(std::string_view name) {
  return "blocks/" + std::string(name);
}

}  // namespace vkgpt::model
