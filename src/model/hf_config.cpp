#include "vkgpt/model/hf_config.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/adapter_config.hpp"

#include "model/hf_gemma3.hpp"
#include "model/hf_layers.hpp"
#include "model/hf_members.hpp"
#include "model/hf_rope.hpp"

namespace vkgpt::model {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array kLlamaTypes =
    std::to_array<std::string_view>({"llama", "mistral", "qwen2", "qwen3", "smollm3", kGemma3});

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

/// Sets `bias` where the class has any, and what of it is zero.
void read_biases(const Members& members, std::string_view type, ModelFormat& format) {
  const bool qwen2 = type == "qwen2";
  const bool attention =
      qwen2 || (type != "mistral" && type != kGemma3 && members.flag("attention_bias", false));
  const bool mlp = (type == "llama" || type == "smollm3") && members.flag("mlp_bias", false);
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
  config.tie_weights = members.flag("tie_word_embeddings", type == "smollm3" || type == kGemma3);
  // Of transformers' Qwen3Config the default is a number; null is the usual quotient.
  const bool usual_of_qwen3 = type == "qwen3" && !members.is_there("head_dim");
  const std::int64_t head_dim = members.size("head_dim", type == kGemma3 ? 256 : usual_of_qwen3 ? 128 : 0);
  config.head_dim = head_dim * config.n_head == config.n_embd ? 0 : head_dim;
  if (type == kGemma3) read_gemma3(members, config);
  read_hf_rope(members, type, config);
  read_hf_layers(members, type, config);
  read_biases(members, type, format);
  const char* key = type == kGemma3 ? "hidden_activation" : "hidden_act";
  const std::string activation = members.word(key, type == kGemma3 ? "gelu_pytorch_tanh" : "silu");
  const bool runs =
      type == kGemma3 ? activation == "gelu_pytorch_tanh" : activation == "silu" || activation == "swish";
  if (!runs)
    fail("{}: {} {} is not one that this version runs", members.where(), key, json_quoted(activation));
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
  config.head_dim = config.head_size();
  resolve_layers(config);
  resolve_rope(config);
  resolve_gemma3(config);
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

OrderedJson llama_json(const GptConfig& config, std::string_view type) {
  const char* architecture = type == "llama"     ? "LlamaForCausalLM"
                             : type == "mistral" ? "MistralForCausalLM"
                             : type == "smollm3" ? "SmolLM3ForCausalLM"
                             : type == kGemma3   ? "Gemma3ForCausalLM"
                                                 : "Qwen3ForCausalLM";
  OrderedJson json = {
      {"architectures", {architecture}},
      {"model_type", type},
      {"vocab_size", config.vocab_size},
      {"hidden_size", config.n_embd},
      {"intermediate_size", config.inner_width()},
      {"num_hidden_layers", config.n_layer},
      {"num_attention_heads", config.n_head},
      {"num_key_value_heads", config.kv_heads()},
      {"head_dim", config.head_size()},
      {type == kGemma3 ? "hidden_activation" : "hidden_act", type == kGemma3 ? "gelu_pytorch_tanh" : "silu"},
      {"max_position_embeddings", config.block_size},
      {"rms_norm_eps", config.layer_norm_eps},
      {"tie_word_embeddings", config.tie_weights},
      {"attention_bias", config.bias},
      {"attention_dropout", 0.0},
      {"rope_theta", config.rope_base()}};
  write_hf_rope(config, type, json);
  write_hf_layers(config, type, json);
  if (type == "llama" || type == "smollm3") json["mlp_bias"] = config.bias;
  if (type == kGemma3) write_gemma3(config, json);
  return json;
}

}  // namespace

std::string_view hf_model_type(const GptConfig& config) {
  if (has_gemma3_parts(config)) return is_gemma3(config) ? kGemma3 : "vkgpt";
  if (config.parallel_blocks || config.logit_softcap != 0) return "vkgpt";
  const bool gelu = config.mlp == "gelu" || config.mlp == "gelu_erf";
  if (config.norm == "layernorm" && gelu && !config.has_rope()) {
    const bool plain = config.kv_heads() == config.n_head && config.attention_window == 0 &&
                       !config.qk_norm && config.attention_width() == config.n_embd;
    return plain ? "gpt2" : "vkgpt";
  }
  if (!config.has_rms_norm() || config.mlp != "swiglu" || !config.has_rope()) return "vkgpt";
  const bool no_positions = !config.rope_layers.empty();
  // Only LlamaForCausalLM and SmolLM3ForCausalLM have biases in their MLP; they do not norm queries.
  if (config.qk_norm) return config.bias || no_positions ? "vkgpt" : "qwen3";
  if (no_positions || !config.window_layers.empty()) return "smollm3";
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
    if (ids.pad || type == "smollm3" || type == kGemma3)
      json["pad_token_id"] = ids.pad ? OrderedJson(*ids.pad) : OrderedJson();
    json["dtype"] = dtype;
  }
  json["vkgpt"] = config_to_json(config);
  return json.dump(2) + "\n";
}

ModelFormat read_model_format(const Path& path) {
  const std::string where = path.string();
  const Path directory = path.parent_path();
  if (!std::filesystem::exists(path) && std::filesystem::exists(directory / kAdapterConfigFile)) {
    fail(
        "{} holds adapters, not a model: give it with --adapter (to train, --init_adapter) and the model "
        "with "
        "--model (--init_from)",
        directory.string());
  }
  const Json json = read_json_file(path);
  const std::string type = json_string(json, "model_type", where);
  const bool llama = std::ranges::contains(kLlamaTypes, type);
  if (type == "gemma3") {
    fail(
        "{}: model_type \"gemma3\" reads images, too; its language model alone (gemma3_text) is what this "
        "version runs",
        where);
  }
  if (type != "gpt2" && type != "vkgpt" && !llama) {
    fail(
        "{}: model_type {} is none that this version runs (gpt2, llama, mistral, qwen2, qwen3, "
        "smollm3, gemma3_text, vkgpt)",
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
