#include "vkgpt/model/hf_config.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::model {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array kLlamaTypes = {"llama", "mistral", "qwen2", "qwen3"};

/// The members of somebody's config.json. What is absent or null has a default, or is missing.
class Members {
 public:
  Members(const Json& json, const std::string& where) : json_(json), where_(where) {}

  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& at(const char* key) const { return json_[key]; }
  std::int64_t size(const char* key) const {
    constexpr std::uint64_t kMaxSize = 1 << 24;
    return static_cast<std::int64_t>(json_unsigned(json_, key, where_, kMaxSize));
  }
  std::int64_t size(const char* key, std::int64_t otherwise) const {
    return has(key) ? size(key) : otherwise;
  }
  double number(const char* key) const { return json_number(json_, key, where_); }
  double number(const char* key, double otherwise) const { return has(key) ? number(key) : otherwise; }
  bool flag(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!json_[key].is_boolean()) fail("{}: {} is not true or false", where_, key);
    return json_[key].get<bool>();
  }
  std::string word(const char* key, const char* otherwise) const {
    return has(key) ? json_string(json_, key, where_) : otherwise;
  }
  const std::string& where() const { return where_; }

  /// Refuses a model that computes something else than this version does.
  void must_be(const char* key, bool expected) const {
    if (flag(key, expected) != expected) fail("{}: {} is not supported", where_, key);
  }

 private:
  const Json& json_;
  const std::string& where_;
};

GptConfig read_gpt2(const Members& members) {
  members.must_be("scale_attn_weights", true);
  members.must_be("scale_attn_by_inverse_layer_idx", false);
  members.must_be("add_cross_attention", false);
  GptConfig config;
  config.vocab_size = members.size("vocab_size");
  config.n_layer = members.size("n_layer");
  config.n_head = members.size("n_head");
  config.n_embd = members.size("n_embd");
  config.n_inner = members.size("n_inner", 0);
  config.block_size = members.size("n_positions");
  config.layer_norm_eps = members.number("layer_norm_epsilon");
  config.tie_weights = members.flag("tie_word_embeddings", true);
  const std::string activation = members.word("activation_function", "gelu_new");
  if (activation == "gelu") {
    config.mlp = "gelu_erf";
  } else if (activation != "gelu_new" && activation != "gelu_pytorch_tanh") {
    fail("{}: activation_function {} is not one that this version runs", members.where(),
         json_quoted(activation));
  }
  return config;
}

/// The rotary angles, as transformers reads them: "rope_scaling", where it says anything, replaces
/// "rope_parameters"; a base or factor beside them counts where the one that is read has none.
void read_rope(const Members& members, GptConfig& config) {
  const bool scaling = members.has("rope_scaling") && !members.at("rope_scaling").empty();
  const char* key = scaling ? "rope_scaling" : "rope_parameters";
  const Json nothing = Json::object();
  const Json& json = members.has(key) ? members.at(key) : nothing;
  const std::string where = members.where() + ": " + key;
  if (!json.is_object()) fail("{} is not an object", where);
  const Members rope(json, where);
  const std::string type = rope.word("rope_type", rope.word("type", "default").c_str());
  if (type == "llama3") {
    config.rope_scaling = type;
    config.rope_factor = rope.number("factor");
    config.rope_low_freq_factor = rope.number("low_freq_factor");
    config.rope_high_freq_factor = rope.number("high_freq_factor");
    config.rope_original_context = members.size(
        "original_max_position_embeddings", rope.size("original_max_position_embeddings", config.block_size));
  } else if (type != "default") {
    fail("{}: rotary positions of type {} are not supported", where, json_quoted(type));
  }
  config.rope_theta = rope.number("rope_theta", members.number("rope_theta", 10000));
  if (rope.number("partial_rotary_factor", members.number("partial_rotary_factor", 1)) != 1) {
    fail("{}: partial rotation is not supported", members.where());
  }
}

/// Keys that a query sees, in the same way in every layer; 0 = all.
std::int64_t read_window(const Members& members, const GptConfig& config, std::string_view type) {
  if (type == "llama" || !members.has("sliding_window")) return 0;
  if (type != "mistral" && !members.flag("use_sliding_window", false)) return 0;
  const std::int64_t window = members.size("sliding_window");
  if (window == 0) fail("{}: sliding_window is 0", members.where());
  std::int64_t sliding = type == "mistral" ? config.n_layer : 0;
  if (members.has("layer_types") && members.at("layer_types").is_array()) {
    const Json& types = members.at("layer_types");
    sliding = std::ranges::count(types, Json("sliding_attention"));
    if (std::ranges::count(types, Json("full_attention")) + sliding != config.n_layer) {
      fail("{}: layer_types names other layers than the {} of full or sliding attention", members.where(),
           config.n_layer);
    }
  } else if (type != "mistral") {
    sliding = config.n_layer - std::min(config.n_layer, members.size("max_window_layers", 28));
  }
  if (sliding != 0 && sliding != config.n_layer) {
    fail("{}: a sliding window in {} of {} layers is not supported", members.where(), sliding,
         config.n_layer);
  }
  return sliding == 0 || window >= config.block_size ? 0 : window;
}

/// Sets `bias` where the class has any, and what of it is zero.
void read_biases(const Members& members, std::string_view type, ModelFormat& format) {
  const bool qwen2 = type == "qwen2";
  const bool attention = qwen2 || (type != "mistral" && members.flag("attention_bias", false));
  const bool mlp = type == "llama" && members.flag("mlp_bias", false);
  format.config.bias = attention || mlp;
  if (!format.config.bias) return;
  if (!attention) format.zero_endings = {"q_proj.bias", "k_proj.bias", "v_proj.bias"};
  if (!attention || qwen2) format.zero_endings.push_back("o_proj.bias");
  if (!mlp) {
    format.zero_endings.insert(format.zero_endings.end(),
                               {"gate_proj.bias", "up_proj.bias", "down_proj.bias"});
  }
}

void read_llama(const Members& members, std::string_view type, ModelFormat& format) {
  GptConfig& config = format.config;
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.pos_encoding = "rope";
  config.qk_norm = type == "qwen3";
  config.vocab_size = members.size("vocab_size");
  config.n_layer = members.size("num_hidden_layers");
  config.n_head = members.size("num_attention_heads");
  config.n_kv_head = members.size("num_key_value_heads", config.n_head);
  config.n_embd = members.size("hidden_size");
  config.n_inner = members.size("intermediate_size");
  config.block_size = members.size("max_position_embeddings");
  config.layer_norm_eps = members.number("rms_norm_eps");
  config.tie_weights = members.flag("tie_word_embeddings", false);
  read_rope(members, config);
  config.attention_window = read_window(members, config, type);
  read_biases(members, type, format);
  const std::string activation = members.word("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    fail("{}: hidden_act {} is not one that this version runs", members.where(), json_quoted(activation));
  }
  const std::int64_t head_dim = members.size("head_dim", 0);
  config.head_dim = head_dim * config.n_head == config.n_embd ? 0 : head_dim;
}

/// Sizes are positive, fit together and lie in the fields' ranges.
void check_config(const GptConfig& config, const std::string& where) {
  if (config.vocab_size == 0 || config.n_layer == 0 || config.n_head == 0 || config.n_embd == 0 ||
      config.block_size == 0) {
    fail("{}: a size is 0", where);
  }
  config_from_json<GptConfig>(config_to_json(config).dump(), where);
  try {
    config.validate();
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
}

/// With defaults written out, as a file of transformers has it.
GptConfig resolved(GptConfig config) {
  config.n_inner = config.inner_width();
  config.n_kv_head = config.kv_heads();
  // A GPT-2 without biases is written with zeros.
  if (hf_model_type(config) == "gpt2") config.bias = true;
  if (config.attention_window >= config.block_size) config.attention_window = 0;
  config.head_dim = config.head_size();
  config.rope_original_context = config.original_context();
  // Nothing is said of rotary positions where there are learned ones, nor of stretching where there is none.
  const GptConfig defaults;
  if (!config.has_rope()) config.rope_theta = defaults.rope_theta;
  if (config.rope_scaling == "none") {
    config.rope_factor = defaults.rope_factor;
    config.rope_low_freq_factor = defaults.rope_low_freq_factor;
    config.rope_high_freq_factor = defaults.rope_high_freq_factor;
    config.rope_original_context = 0;
  }
  return config;
}

OrderedJson gpt2_json(const GptConfig& config) {
  // n_ctx is for llama.cpp's converter.
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", config.vocab_size},
          {"n_positions", config.block_size},
          {"n_ctx", config.block_size},
          {"n_embd", config.n_embd},
          {"n_layer", config.n_layer},
          {"n_head", config.n_head},
          {"n_inner", config.inner_width()},
          {"activation_function", config.mlp == "gelu" ? "gelu_new" : "gelu"},
          {"layer_norm_epsilon", config.layer_norm_eps},
          {"tie_word_embeddings", config.tie_weights},
          {"embd_pdrop", 0.0},
          {"attn_pdrop", 0.0},
          {"resid_pdrop", 0.0}};
}

OrderedJson rope_json(const GptConfig& config) {
  if (config.rope_scaling == "none") return {{"rope_type", "default"}, {"rope_theta", config.rope_theta}};
  return {{"rope_type", config.rope_scaling},
          {"rope_theta", config.rope_theta},
          {"factor", config.rope_factor},
          {"low_freq_factor", config.rope_low_freq_factor},
          {"high_freq_factor", config.rope_high_freq_factor},
          {"original_max_position_embeddings", config.original_context()}};
}

OrderedJson llama_json(const GptConfig& config, std::string_view type) {
  const char* architecture = type == "llama"     ? "LlamaForCausalLM"
                             : type == "mistral" ? "MistralForCausalLM"
                                                 : "Qwen3ForCausalLM";
  OrderedJson json = {{"architectures", {architecture}},
                      {"model_type", type},
                      {"vocab_size", config.vocab_size},
                      {"hidden_size", config.n_embd},
                      {"intermediate_size", config.inner_width()},
                      {"num_hidden_layers", config.n_layer},
                      {"num_attention_heads", config.n_head},
                      {"num_key_value_heads", config.kv_heads()},
                      {"head_dim", config.head_size()},
                      {"hidden_act", "silu"},
                      {"max_position_embeddings", config.block_size},
                      {"rms_norm_eps", config.layer_norm_eps},
                      {"tie_word_embeddings", config.tie_weights},
                      {"attention_bias", config.bias},
                      {"attention_dropout", 0.0},
                      {"rope_theta", config.rope_theta},
                      {"rope_parameters", rope_json(config)}};
  if (config.rope_scaling != "none") json["rope_scaling"] = rope_json(config);  // for transformers 4
  if (type == "llama") json["mlp_bias"] = config.bias;
  if (config.attention_window > 0) json["sliding_window"] = config.attention_window;
  if (type == "qwen3") {
    const bool windowed = config.attention_window > 0;
    const std::vector<std::string> types(static_cast<std::size_t>(config.n_layer),
                                         windowed ? "sliding_attention" : "full_attention");
    json["use_sliding_window"] = windowed;
    json["max_window_layers"] = windowed ? 0 : config.n_layer;
    json["layer_types"] = types;
  }
  return json;
}

}  // namespace

std::string_view hf_model_type(const GptConfig& config) {
  if (config.parallel_blocks || config.logit_softcap != 0) return "vkgpt";
  const bool gelu = config.mlp == "gelu" || config.mlp == "gelu_erf";
  if (config.norm == "layernorm" && gelu && !config.has_rope()) {
    const bool plain = config.kv_heads() == config.n_head && config.attention_window == 0 &&
                       !config.qk_norm && config.attention_width() == config.n_embd;
    return plain ? "gpt2" : "vkgpt";
  }
  if (!config.has_rms_norm() || !config.has_swiglu() || !config.has_rope()) return "vkgpt";
  // Only LlamaForCausalLM has biases in its MLP; it has neither window nor normed queries.
  if (config.qk_norm) return config.bias ? "vkgpt" : "qwen3";
  if (config.attention_window > 0) return config.bias ? "vkgpt" : "mistral";
  return "llama";
}

TensorLayout hf_layout(const GptConfig& config) {
  const std::string_view type = hf_model_type(config);
  return type == "gpt2" || type == "vkgpt" ? TensorLayout::kGpt2 : TensorLayout::kLlama;
}

std::string model_config_json(const GptConfig& config, const TokenIds& ids, std::string_view dtype) {
  const std::string_view type = hf_model_type(config);
  OrderedJson json;
  if (type == "vkgpt") {
    json = {{"architectures", {"VkgptForCausalLM"}},
            {"model_type", "vkgpt"},
            {"note",
             "no class of transformers implements this combination; vkgpt generate and vkgpt train read it"}};
  } else {
    json = type == "gpt2" ? gpt2_json(config) : llama_json(config, type);
    json["bos_token_id"] = ids.begin ? OrderedJson(*ids.begin) : OrderedJson(nullptr);
    json["eos_token_id"] = ids.ends.size() == 1 ? OrderedJson(ids.ends[0])
                           : ids.ends.empty()   ? OrderedJson(nullptr)
                                                : OrderedJson(ids.ends);
    if (ids.pad) json["pad_token_id"] = *ids.pad;
    json["dtype"] = dtype;
  }
  json["vkgpt"] = config_to_json(config);
  return json.dump(2) + "\n";
}

ModelFormat read_model_format(const Path& path) {
  const std::string where = path.string();
  const Json json = read_json_file(path);
  const std::string type = json_string(json, "model_type", where);
  const bool llama = std::ranges::contains(kLlamaTypes, type);
  if (type != "gpt2" && type != "vkgpt" && !llama) {
    fail("{}: model_type {} is none that this version runs (gpt2, llama, mistral, qwen2, qwen3, vkgpt)",
         where, json_quoted(type));
  }
  ModelFormat format{
      .config = {}, .model_type = type, .layout = llama ? TensorLayout::kLlama : TensorLayout::kGpt2};
  const auto own = [&] {
    GptConfig config = config_from_json<GptConfig>(json_member(json, "vkgpt", where).dump(), where);
    check_config(config, where);
    return config;
  };
  if (type == "vkgpt") {
    format.config = own();
    return format;
  }
  const Members members(json, where);
  if (members.has("quantization_config")) fail("{}: quantized weights are not supported", where);
  if (llama) {
    read_llama(members, type, format);
  } else {
    format.config = read_gpt2(members);
  }
  check_config(format.config, where);
  // transformers hands our member on even where it has changed the model: the keys of its own then win.
  if (members.has("vkgpt")) {
    const GptConfig exact = own();
    if (resolved(exact) == resolved(format.config)) format.config = exact;
  }
  return format;
}

}  // namespace vkgpt::model
