#include "vkgpt/model/model_directory.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::model {
namespace {

constexpr std::uint64_t kMaxSize = 1 << 24;
constexpr std::uint64_t kMaxRank = 4096;

/// Whether transformers' GPT2LMHeadModel computes the same.
bool is_gpt2(const GptConfig& config) {
  return config.norm == "layernorm" && (config.mlp == "gelu" || config.mlp == "gelu_erf") &&
         config.pos_encoding == "learned" && config.kv_heads() == config.n_head &&
         config.attention_window == 0 && !config.qk_norm && !config.parallel_blocks && config.bias &&
         config.logit_softcap == 0;
}

}  // namespace

std::string model_config_json(const GptConfig& config) {
  const nlohmann::ordered_json own = config_to_json(config);
  if (!is_gpt2(config)) {
    const nlohmann::ordered_json json = {
        {"architectures", {"VkgptForCausalLM"}},
        {"model_type", "vkgpt"},
        {"note",
         "no class of transformers implements this combination; vkgpt generate and vkgpt train read it"},
        {"vkgpt", own}};
    return json.dump(2) + "\n";
  }
  // The keys that transformers' GPT2Config reads; n_ctx is for llama.cpp's converter.
  const nlohmann::ordered_json json = {{"architectures", {"GPT2LMHeadModel"}},
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
                                       {"bos_token_id", nullptr},
                                       {"eos_token_id", nullptr},
                                       {"embd_pdrop", 0.0},
                                       {"attn_pdrop", 0.0},
                                       {"resid_pdrop", 0.0},
                                       {"dtype", "float32"},
                                       {"vkgpt", own}};
  return json.dump(2) + "\n";
}

std::string adapter_config_json(const Adaptation& adaptation) {
  const nlohmann::ordered_json json = {{"peft_type", "LORA"},
                                       {"task_type", "CAUSAL_LM"},
                                       {"base_model_name_or_path", "."},
                                       {"r", adaptation.lora_rank},
                                       {"lora_alpha", adaptation.lora_alpha},
                                       {"lora_dropout", 0.0},
                                       {"bias", "none"},
                                       {"fan_in_fan_out", true},
                                       {"target_modules", adaptation.lora_targets}};
  return json.dump(2) + "\n";
}

namespace {

void write_tensors(OutputFile& file, const std::vector<FileTensor>& tensors, std::span<const float> arena) {
  std::map<std::string, const FileTensor*> by_name;
  std::vector<SafetensorsTensor> written;
  for (const FileTensor& tensor : tensors) {
    by_name[tensor.name] = &tensor;
    written.push_back({tensor.name, DType::kF32, tensor.shape});
  }
  std::vector<float> values;
  write_safetensors(file, std::move(written),
                    [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      values.resize(static_cast<std::size_t>(tensor.shape.numel()));
                      to_file(*by_name.at(tensor.name), arena, values);
                      sink(std::as_bytes(std::span(values)));
                    });
}

/// The adapters of a directory; none where it has no adapter_config.json.
Adaptation read_adaptation(const Path& directory) {
  Adaptation adaptation;
  const Path path = directory / kAdapterConfigFile;
  if (!std::filesystem::exists(path)) return adaptation;
  const std::string where = path.string();
  const Json json = read_json_file(path);
  adaptation.lora_rank = static_cast<std::int64_t>(json_unsigned(json, "r", where, kMaxRank));
  adaptation.lora_alpha = json_number(json, "lora_alpha", where);
  const Json& targets = json_member(json, "target_modules", where);
  if (adaptation.lora_rank == 0 || !targets.is_array() || targets.empty()) {
    fail("{}: r or target_modules is empty", where);
  }
  for (const Json& target : targets) {
    if (!target.is_string()) fail("{}: target_modules is not a list of names", where);
    adaptation.lora_targets.push_back(target.get<std::string>());
  }
  return adaptation;
}

/// The `vkgpt` member of a config.json that this program wrote.
GptConfig read_own_config(const Json& own, const std::string& where) {
  return config_from_json<GptConfig>(own.dump(), where);
}

GptConfig read_gpt2_config(const Json& json, const std::string& where) {
  const auto size = [&](const char* key) {
    return static_cast<std::int64_t>(json_unsigned(json, key, where, kMaxSize));
  };
  GptConfig config;
  config.vocab_size = size("vocab_size");
  config.n_layer = size("n_layer");
  config.n_head = size("n_head");
  config.n_embd = size("n_embd");
  config.block_size = size("n_positions");
  config.layer_norm_eps = json_number(json, "layer_norm_epsilon", where);
  if (const auto tied = json.find("tie_word_embeddings"); tied != json.end()) {
    if (!tied->is_boolean()) fail("{}: tie_word_embeddings is not true or false", where);
    config.tie_weights = tied->get<bool>();
  }
  if (json.contains("n_inner") && !json["n_inner"].is_null()) config.n_inner = size("n_inner");
  if (json.contains("activation_function")) {
    const std::string activation = json_string(json, "activation_function", where);
    if (activation == "gelu") {
      config.mlp = "gelu_erf";
    } else if (activation != "gelu_new" && activation != "gelu_pytorch_tanh") {
      fail("{}: activation_function {} is not one that this version runs", where, json_quoted(activation));
    }
  }
  return config;
}

}  // namespace

void write_model_parameters(OutputFile& file, const GptParams& params, std::span<const float> arena) {
  write_tensors(file, file_tensors(params, TensorLayout::kGpt2), arena);
}

void write_adapters(OutputFile& file, const GptParams& params, std::span<const float> arena) {
  write_tensors(file, adapter_tensors(params, TensorLayout::kGpt2), arena);
}

GptConfig read_model_config(const Path& directory) {
  const Path path = directory / kModelConfigFile;
  const std::string where = path.string();
  const Json json = read_json_file(path);
  const Json type = json.is_object() ? json.value("model_type", Json()) : Json();
  if (type != "gpt2" && type != "vkgpt") {
    fail("{}: model_type is neither \"gpt2\" nor \"vkgpt\", the kinds that this version runs", where);
  }
  const GptConfig config = json.contains("vkgpt") ? read_own_config(json["vkgpt"], where)
                           : type == "gpt2"       ? read_gpt2_config(json, where)
                                                  : read_own_config(json_member(json, "vkgpt", where), where);
  if (config.vocab_size == 0 || config.n_layer == 0 || config.n_head == 0 || config.n_embd == 0 ||
      config.block_size == 0) {
    fail("{}: a size is 0", where);
  }
  try {
    config.validate();
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
  return config;
}

std::vector<float> read_model_parameters(const Path& directory, const GptParams& params,
                                         const char* weights_file) {
  std::vector<float> arena(static_cast<std::size_t>(params.arena_elements()), 0.0f);
  std::vector<float> values;
  const auto read_tensors = [&](const char* name, const std::vector<FileTensor>& tensors) {
    const SafetensorsFile file(directory / name);
    for (const FileTensor& tensor : tensors) {
      const SafetensorsEntry& entry = file.expect(tensor.name, tensor.shape);
      values.resize(static_cast<std::size_t>(tensor.shape.numel()));
      file.read(entry, std::span<float>(values));
      from_file(tensor, values, arena);
    }
  };
  read_tensors(weights_file, file_tensors(params, TensorLayout::kGpt2));
  if (params.adaptation().lora_rank > 0) {
    read_tensors(kAdapterWeightsFile, adapter_tensors(params, TensorLayout::kGpt2));
  }
  return arena;
}

LoadedModel load_model(const Path& directory, bool average) {
  const GptConfig config = read_model_config(directory);
  LoadedModel model{GptParams(config), {}};
  if (average) {
    model.arena = read_model_parameters(directory, model.params, kEmaWeightsFile);
    return model;
  }
  const GptParams adapted(config, read_adaptation(directory));
  if (adapted.adaptation().lora_rank == 0) {
    model.arena = read_model_parameters(directory, model.params);
    return model;
  }
  std::vector<float> merged = read_model_parameters(directory, adapted);
  merge_adapters(adapted, merged);
  model.arena = rearrange(adapted, merged, model.params);
  return model;
}

}  // namespace vkgpt::model
