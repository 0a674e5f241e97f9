#include "model/param_tensors.hpp"

#include "vkgpt/model/held_weights.hpp"

namespace vkgpt::model {

using plan::Tensor;

std::optional<Tensor> ParamTensors::find(const std::string& name) const {
  const ParamSpec* spec = params_.find_if_present(name);
  if (spec == nullptr) return std::nullopt;
  const bool is_apart = arenas_.blocks && !spec->trainable;
  if (!arenas_.values || is_apart) {
    return builder_.persistent(f32_param_tensor(name), spec->shape, plan::Role::kParameters);
  }
  const Tensor& arena = spec->trainable && arenas_.trained ? *arenas_.trained : *arenas_.values;
  if (spec->offset + spec->numel() > arena.shape.numel()) return std::nullopt;
  return builder_.view(arena, spec->offset, spec->shape, name);
}

std::optional<ops::Weight> ParamTensors::find_matrix(const std::string& name) const {
  const ParamSpec* spec = params_.find_if_present(name);
  if (spec == nullptr) return std::nullopt;
  if (const auto type = block_type_of(*spec, arenas_.blocks)) {
    return ops::persistent_blocks(builder_, block_tensor(name), *type, spec->shape);
  }
  if (!arenas_.matrices || (arenas_.blocks && !spec->trainable)) return find(name);
  return builder_.view(*arenas_.matrices, spec->offset, spec->shape, name);
}

std::optional<StackedTensors> ParamTensors::stacked(const std::string& name) const {
  if (arenas_.adapters.empty()) return std::nullopt;
  return stacked_adapters(builder_, arenas_.adapters, name, params_.find(name).shape, arenas_.adapter_dtype);
}

NormTensors ParamTensors::norm(const std::string& name) const {
  return {.weight = find(name + ".weight"), .bias = find(name + ".bias")};
}

LinearTensors ParamTensors::linear(const std::string& name) const {
  return {.weight = find_matrix(name + ".weight"),
          .bias = find(name + ".bias"),
          .lora_a = find_matrix(name + ".lora_A.weight"),
          .lora_b = find_matrix(name + ".lora_B.weight"),
          .stacked = stacked(name + ".weight")};
}

BlockTensors ParamTensors::block(std::int64_t layer) const {
  const std::string h = "h." + std::to_string(layer);
  return {.ln_1 = norm(h + ".ln_1"),
          .c_attn = linear(h + ".attn.c_attn"),
          .q_norm = find(h + ".attn.q_norm.weight"),
          .k_norm = find(h + ".attn.k_norm.weight"),
          .attn_c_proj = linear(h + ".attn.c_proj"),
          .attn_ln_out = norm(h + ".attn.ln_out"),
          .ln_2 = norm(h + ".ln_2"),
          .c_fc = linear(h + ".mlp.c_fc"),
          .mlp_c_proj = linear(h + ".mlp.c_proj"),
          .mlp_ln_out = norm(h + ".mlp.ln_out")};
}

std::optional<ops::Weight> ParamTensors::table() const {
  if (arenas_.blocks) return find_matrix("wte.weight");
  return find("wte.weight");
}

std::optional<ops::Weight> ParamTensors::head() const {
  return find_matrix(params_.config().tie_weights ? "wte.weight" : "lm_head.weight");
}

}  // namespace vkgpt::model
