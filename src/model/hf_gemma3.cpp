#include "model/hf_gemma3.hpp"

#include <cmath>
#include <string>

#include "vkgpt/core/error.hpp"

namespace vkgpt::model {
namespace {

double usual_embedding_scale(const GptConfig& config) {
  return std::sqrt(static_cast<double>(config.n_embd));
}

/// Layers with local positions have the window, others have none.
bool windows_are_local(const GptConfig& config) {
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    if (!config.layer_has_rope(layer)) return false;
    if (config.attention_window > 0 && config.layer_has_window(layer) != config.layer_rope_is_local(layer)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool has_gemma3_parts(const GptConfig& config) {
  return config.norm_counts_from_one() || config.mlp == "geglu" || config.branch_norms ||
         config.embedding_scale != 1 || config.attention_scalar != 0 || config.rope_layers.contains('l');
}

bool is_gemma3(const GptConfig& config) {
  return config.norm_counts_from_one() && config.mlp == "geglu" && config.branch_norms && config.qk_norm &&
         config.has_rope() && !config.bias && !config.parallel_blocks &&
         config.embedding_scale == usual_embedding_scale(config) &&
         config.attention_scalar == std::floor(config.attention_scalar) &&
         config.n_embd % config.n_head == 0 && windows_are_local(config);
}

void read_gemma3(const Members& members, GptConfig& config) {
  config.norm = "rmsnorm1p";
  config.mlp = "geglu";
  config.qk_norm = true;
  config.branch_norms = true;
  config.embedding_scale = usual_embedding_scale(config);
  config.logit_softcap = members.number("final_logit_softcapping", 0);
  const double scalar = members.number("query_pre_attn_scalar", 256);
  if (scalar <= 0) fail("{}: query_pre_attn_scalar is {}", members.where(), scalar);
  config.attention_scalar = scalar == static_cast<double>(config.head_size()) ? 0 : scalar;
  if (members.has("attn_logit_softcapping")) {
    fail("{}: attn_logit_softcapping is not supported", members.where());
  }
  members.must_be("use_bidirectional_attention", false);
  members.must_be("attention_bias", false);
}

void write_gemma3(const GptConfig& config, nlohmann::ordered_json& json) {
  json["query_pre_attn_scalar"] =
      config.attention_scalar == 0 ? config.head_size() : std::llround(config.attention_scalar);
  json["rope_local_base_freq"] = config.rope_local_theta;
  json["attn_logit_softcapping"] = nullptr;
  json["final_logit_softcapping"] = nullptr;
  if (config.logit_softcap != 0) json["final_logit_softcapping"] = config.logit_softcap;
}

const Json& gemma3_full_rope(const Json& rope) {
  static const Json nothing = Json::object();
  if (!rope.is_object() || (!rope.contains("full_attention") && !rope.contains("sliding_attention"))) {
    return rope;
  }
  const auto full = rope.find("full_attention");
  return full == rope.end() || full->is_null() ? nothing : *full;
}

void read_gemma3_local_rope(const Members& members, GptConfig& config) {
  config.rope_local_theta = members.number("rope_local_base_freq", 1e4);
  if (!members.has("rope_parameters") || !members.at("rope_parameters").is_object()) return;
  const Members kinds(members.at("rope_parameters"), members.where());
  if (!kinds.has("sliding_attention")) return;
  const std::string where = members.where() + ": sliding_attention";
  if (!kinds.at("sliding_attention").is_object()) fail("{} is not an object", where);
  const Members local(kinds.at("sliding_attention"), where);
  const std::string type = local.word("rope_type", "default");
  if (type != "default") fail("{}: rope_type {} is not supported there", where, json_quoted(type));
  config.rope_local_theta = local.number("rope_theta", config.rope_local_theta);
}

void resolve_gemma3(GptConfig& config) {
  if (config.attention_scalar == 0) config.attention_scalar = static_cast<double>(config.head_size());
}

}  // namespace vkgpt::model
