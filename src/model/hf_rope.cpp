#include "model/hf_rope.hpp"

#include <cmath>
#include <string>

#include "vkgpt/core/error.hpp"

#include "model/hf_gemma3.hpp"

namespace vkgpt::model {
namespace {

/// "rope_type", which older files call "type".
std::string rope_type(const Members& rope) {
  const std::string type = rope.word("rope_type", rope.word("type", "default").c_str());
  if (rope.has("type") && rope.word("type", "") != type) {
    fail("{}: rope_type {} and type {} contradict each other", rope.where(), json_quoted(type),
         json_quoted(rope.word("type", "")));
  }
  return type;
}

/// The context of the training, which some files name beside the rule.
void read_original_context(const Members& members, const Members& rope, GptConfig& config) {
  constexpr auto kKey = "original_max_position_embeddings";
  const std::int64_t inside = rope.size(kKey, 0), beside = members.size(kKey, 0);
  if (inside != 0 && beside != 0 && inside != beside) {
    fail("{}: {} is {} here and {} beside it", rope.where(), kKey, inside, beside);
  }
  if (rope.has(kKey) && inside == 0) fail("{}: {} is 0", rope.where(), kKey);
  config.rope_original_context = inside != 0 ? inside : beside != 0 ? beside : config.block_size;
}

/// The two numbers of DeepSeek's files from which the attention factor follows; 0 where both are absent.
double attention_factor(const Members& rope, double factor) {
  if (rope.has("attention_factor")) {
    const double given = rope.number("attention_factor");
    if (given <= 0) fail("{}: attention_factor is {}", rope.where(), given);
    return given;
  }
  const double mscale = rope.number("mscale", 0), all = rope.number("mscale_all_dim", 0);
  if (mscale == 0 || all == 0) return 0;
  const double growth = 0.1 * std::log(factor);
  const double result = (mscale * growth + 1) / (all * growth + 1);
  if (!(result > 0)) fail("{}: mscale {} and mscale_all_dim {} do not fit", rope.where(), mscale, all);
  return result;
}

/// transformers takes 0 for "not said".
double turns(const Members& rope, const char* key, double otherwise) {
  const double given = rope.number(key, 0);
  return given == 0 ? otherwise : given;
}

void read_yarn(const Members& members, const Members& rope, GptConfig& config) {
  read_original_context(members, rope, config);
  const double grown =
      static_cast<double>(config.block_size) / static_cast<double>(config.original_context());
  config.rope_factor = rope.number("factor", grown);
  if (config.rope_factor < 1) fail("{}: factor is {}", rope.where(), config.rope_factor);
  config.rope_beta_fast = turns(rope, "beta_fast", config.rope_beta_fast);
  config.rope_beta_slow = turns(rope, "beta_slow", config.rope_beta_slow);
  config.rope_truncate = rope.flag("truncate", true);
  config.rope_attention_factor = attention_factor(rope, config.rope_factor);
}

void read_rule(const Members& members, const Members& rope, GptConfig& config) {
  const std::string type = rope_type(rope);
  if (type == "default") return;
  config.rope_scaling = type;
  if (type == "yarn") return read_yarn(members, rope, config);
  if (type != "linear" && type != "dynamic" && type != "llama3") {
    fail("{}: rotary positions of type {} are not supported", members.where(), json_quoted(type));
  }
  config.rope_factor = rope.number("factor");
  if (type != "llama3") return;
  config.rope_low_freq_factor = rope.number("low_freq_factor");
  config.rope_high_freq_factor = rope.number("high_freq_factor");
  read_original_context(members, rope, config);
}

}  // namespace

void read_hf_rope(const Members& members, std::string_view type, GptConfig& config) {
  const bool scaling = members.has("rope_scaling") && !members.at("rope_scaling").empty();
  const char* key = scaling ? "rope_scaling" : "rope_parameters";
  const Json nothing = Json::object();
  const Json& given = members.has(key) ? members.at(key) : nothing;
  const Json& json = type == kGemma3 ? gemma3_full_rope(given) : given;
  const std::string where = members.where() + ": " + key;
  if (!json.is_object()) fail("{} is not an object", where);
  const Members rope(json, where);
  for (const char* layers : {"full_attention", "sliding_attention"}) {
    if (rope.has(layers)) fail("{}: positions of their own for {} are not supported", where, layers);
  }
  read_rule(members, rope, config);
  const double base = type == kGemma3 ? 1e6 : type == "smollm3" ? 2e6 : 1e4;
  config.rope_theta = rope.number("rope_theta", members.number("rope_theta", base));
  if (type == kGemma3) read_gemma3_local_rope(members, config);
  if (rope.number("partial_rotary_factor", members.number("partial_rotary_factor", 1)) != 1) {
    fail("{}: partial rotation is not supported", members.where());
  }
}

void write_hf_rope(const GptConfig& given, std::string_view type, nlohmann::ordered_json& json) {
  GptConfig config = given;
  resolve_rope(config);
  nlohmann::ordered_json rope = {
      {"rope_type", config.rope_scaling == "none" ? "default" : config.rope_scaling},
      {"rope_theta", config.rope_theta}};
  if (config.rope_scaling != "none") rope["factor"] = config.rope_factor;
  if (config.rope_scaling == "llama3") {
    rope["low_freq_factor"] = config.rope_low_freq_factor;
    rope["high_freq_factor"] = config.rope_high_freq_factor;
  }
  if (config.rope_scaling == "yarn") {
    rope["beta_fast"] = config.rope_beta_fast;
    rope["beta_slow"] = config.rope_beta_slow;
    rope["truncate"] = config.rope_truncate;
    if (config.rope_attention_factor != 0) rope["attention_factor"] = config.rope_attention_factor;
  }
  if (config.rope_scaling == "llama3" || config.rope_scaling == "yarn") {
    rope["original_max_position_embeddings"] = config.rope_original_context;
  }
  if (type == kGemma3) {
    const nlohmann::ordered_json local = {{"rope_type", "default"}, {"rope_theta", config.rope_local_theta}};
    json["rope_parameters"] = {{"full_attention", rope}, {"sliding_attention", local}};
  } else {
    json["rope_parameters"] = rope;
  }
  if (config.rope_scaling != "none") json["rope_scaling"] = rope;
}

void resolve_rope(GptConfig& config) {
  const GptConfig defaults;
  config.rope_original_context = config.original_context();
  if (config.rope_scaling == "dynamic" && config.block_size > config.rope_original_context) {
    config.rope_theta = config.rope_base();
    config.rope_scaling = "none";
  }
  // Nothing is said of rotary positions where there are learned ones, nor of stretching where there is none.
  if (!config.has_rope()) config.rope_theta = defaults.rope_theta;
  const bool llama3 = config.rope_scaling == "llama3", yarn = config.rope_scaling == "yarn";
  if (config.rope_scaling == "none") config.rope_factor = defaults.rope_factor;
  if (!llama3) {
    config.rope_low_freq_factor = defaults.rope_low_freq_factor;
    config.rope_high_freq_factor = defaults.rope_high_freq_factor;
  }
  if (!yarn) {
    config.rope_beta_fast = defaults.rope_beta_fast;
    config.rope_beta_slow = defaults.rope_beta_slow;
    config.rope_truncate = defaults.rope_truncate;
    config.rope_attention_factor = defaults.rope_attention_factor;
  }
  if (!llama3 && !yarn) config.rope_original_context = 0;
  if (!config.rope_layers.contains('l')) config.rope_local_theta = defaults.rope_local_theta;
}

}  // namespace vkgpt::model
