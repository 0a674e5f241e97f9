#include "vkgpt/model/held_weights.hpp"

#include "vkgpt/core/error.hpp"

namespace vkgpt::model {

std::optional<BlockType> block_type_of(const ParamSpec& spec, std::optional<BlockType> wanted) {
  if (!wanted || spec.shape.rank() != 2 || spec.is_adapter || spec.name == "wpe.weight") return std::nullopt;
  if (spec.name == "wte.weight" || spec.name == "lm_head.weight") return BlockType::kQ8_0;
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

std::string block_tensor(std::string_view name) {
  return "blocks/" + std::string(name);
}

}  // namespace vkgpt::model
