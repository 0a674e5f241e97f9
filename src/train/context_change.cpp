#include "vkgpt/train/context_change.hpp"

#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/model_directory.hpp"

namespace vkgpt::train {
namespace {

constexpr std::string_view kRopeFields[] = {
    "rope_theta",     "rope_scaling",   "rope_factor",   "rope_low_freq_factor",  "rope_high_freq_factor",
    "rope_beta_slow", "rope_beta_fast", "rope_truncate", "rope_attention_factor", "rope_original_context"};

model::GptConfig with_length(const model::GptConfig& loaded, std::int64_t block_size) {
  if (block_size <= loaded.block_size) return model::with_shorter_context(loaded, block_size);
  if (!loaded.has_rope()) {
    fail_usage("block_size = {}: the model learned {} positions and has no more", block_size,
               loaded.block_size);
  }
  return model::with_longer_context(loaded, block_size);
}

}  // namespace

model::GptConfig with_changed_context(model::GptConfig loaded, const model::GptConfig& wished,
                                      const FieldSet& fields) {
  if (fields.was_set("block_size") && wished.block_size != loaded.block_size) {
    loaded = with_length(loaded, wished.block_size);
  }
  if (!loaded.has_rope()) return loaded;
  FieldSet own(loaded);
  for (const std::string_view name : kRopeFields) {
    if (!fields.was_set(name)) continue;
    own.set({.key = std::string(name), .text = fields.find(name)->text(), .where = fields.find(name)->where});
  }
  loaded.validate();
  return loaded;
}

}  // namespace vkgpt::train
