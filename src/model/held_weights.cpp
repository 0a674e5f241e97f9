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

/// A matrix, some rows at a time: blocks as the source has them, else of its numbers.
void upload_blocks(plan::TensorStore& store, const ParamSpec& spec, const ParamSource& source, BlockType type,
                   HeldDigest* digest) {
  const BlockFormat& format = block_format(type);
  const std::string name = block_tensor(spec.name);
  const std::int64_t width = row_width(spec), rows = spec.numel() / width, step = rows_at_once(spec);
  std::vector<float> values;
  std::vector<std::uint32_t> quants, scales;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    const auto numbers = static_cast<std::size_t>(count * width);
    const auto before = static_cast<std::size_t>(first * width);
    quants.resize(format.quant_words(numbers));
    scales.resize(format.scale_words(numbers));
    bool is_good = true;
    if (!source.read_blocks(spec, type, first, count, quants, scales)) {
      values.resize(numbers);
      source.read(spec, first, count, values);
      encode_blocks(type, values, quants, scales);
      is_good = std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
    }
    if (!is_good || !is_finite(type, quants, scales)) {
      fail("{} holds numbers that {} cannot express: choose f32", spec.name, format.name);
    }
    if (digest != nullptr) {
      digest->numbers.update(std::as_bytes(std::span(quants)));
      digest->scales.update(std::as_bytes(std::span(scales)));
    }
    store.upload(name, std::as_bytes(std::span(quants)), format.quant_words(before) * sizeof(std::uint32_t));
    if (scales.empty()) continue;
    store.upload(name + ".scales", std::as_bytes(std::span(scales)),
                 format.scale_words(before) * sizeof(std::uint32_t));
  }
}

}  // namespace

void upload_held(plan::TensorStore& store, const GptParams& params, const ParamSource& source, BlockType type,
                 HeldDigest* digest) {
  for (const ParamSpec& spec : params.specs()) {
    if (params.adaptation().lora_rank > 0 && spec.trainable) continue;
    if (const std::optional<BlockType> blocks = block_type_of(spec, type)) {
      upload_blocks(store, spec, source, *blocks, digest);
      continue;
    }
    for_rows(source, spec, [&](std::int64_t first, std::span<const float> values) {
      if (digest != nullptr) digest->numbers.update(std::as_bytes(values));
      store.upload(f32_param_tensor(spec.name), std::as_bytes(values),
                   static_cast<std::uint64_t>(first) * sizeof(float));
    });
  }
}

std::string block_tensor(std::string_view name) {
  return "blocks/" + std::string(name);
}

}  // namespace vkgpt::model
