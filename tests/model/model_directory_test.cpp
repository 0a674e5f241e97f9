#include "vkgpt/model/model_directory.hpp"

#include <filesystem>
#include <format>
#include <set>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/weight_files.hpp"

#include "support/architecture_grid.hpp"
#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

namespace fs = std::filesystem;

/// A copy of a directory of tests/golden that a test may spoil.
class CopiedModel {
 public:
  explicit CopiedModel(const char* name) {
    fs::copy(test::source_dir() / "tests/golden" / name, temp_.path(), fs::copy_options::recursive);
  }
  const Path& path() const { return temp_.path(); }
  Path operator/(const char* name) const { return temp_ / name; }

  /// config.json with `patch` merged into it (null removes a member).
  void patch(const Json& patch, const char* file = kModelConfigFile) {
    Json json = read_json_file(temp_ / file);
    json.merge_patch(patch);
    write_file(temp_ / file, json.dump());
  }
  void expect_refusal(const std::string& part) {
    expect_error([&] { load_model(temp_.path()); }, part);
  }

 private:
  TempDirectory temp_;
};

void write_model(const Path& directory, const GptParams& params, std::span<const float> arena) {
  write_file(directory / kModelConfigFile, model_config_json(params.config(), {.begin = 3, .ends = {3}}));
  OutputFile file(directory / kModelWeightsFile);
  write_model_parameters(file, params, arena);
  file.finish();
}

/// Rewrites the weights with one tensor more, less, or of another shape.
void rewrite_weights(const Path& directory,
                     const std::function<void(std::vector<SafetensorsTensor>&)>& change) {
  std::vector<SafetensorsTensor> tensors;
  {
    const SafetensorsFile file(directory / kModelWeightsFile);
    for (const SafetensorsEntry& entry : file.entries()) {
      tensors.push_back({entry.name, DType::kF32, entry.shape});
    }
  }
  change(tensors);
  OutputFile file(directory / kModelWeightsFile);
  write_safetensors(file, std::move(tensors),
                    [](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      sink(std::vector<std::byte>(tensor.size_bytes(), std::byte{1}));
                    });
  file.finish();
}

TEST(ModelDirectory, EveryArchitectureComesBack) {
  std::set<std::string_view> types;
  for (const GptConfig& config : test::architecture_grid()) {
    SCOPED_TRACE(test::architecture_name(config));
    const TempDirectory temp;
    const GptParams params(config);
    const std::vector<float> arena = initial_parameters(params, 1);
    write_model(temp.path(), params, arena);
    const LoadedModel loaded = load_model(temp.path());
    EXPECT_EQ(loaded.params.config(), config);
    EXPECT_EQ(loaded.arena, arena);
    EXPECT_EQ(loaded.format.model_type, hf_model_type(config));
    EXPECT_EQ(loaded.format.layout, hf_layout(config));
    types.insert(hf_model_type(config));
  }
  EXPECT_TRUE(types.contains("gpt2") && types.contains("llama") && types.contains("vkgpt"));
}

TEST(ModelDirectory, ClassesAreThoseThatComputeTheSame) {
  GptConfig config;
  EXPECT_EQ(hf_model_type(config), "gpt2");
  config.bias = false;
  EXPECT_EQ(hf_model_type(config), "gpt2");  // with zeros for biases
  config.n_kv_head = 2;
  EXPECT_EQ(hf_model_type(config), "vkgpt");
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.pos_encoding = "rope";
  EXPECT_EQ(hf_model_type(config), "llama");
  config.attention_window = 8;
  EXPECT_EQ(hf_model_type(config), "mistral");
  config.window_layers = "wwwf";
  EXPECT_EQ(hf_model_type(config), "smollm3");
  config.qk_norm = true;
  EXPECT_EQ(hf_model_type(config), "qwen3");
  config.rope_layers = "rn";
  EXPECT_EQ(hf_model_type(config), "vkgpt");
  config.rope_layers.clear();
  config.window_layers.clear();
  config.bias = true;
  EXPECT_EQ(hf_model_type(config), "vkgpt");
  config.qk_norm = false;
  EXPECT_EQ(hf_model_type(config), "vkgpt");
  config.attention_window = 0;
  EXPECT_EQ(hf_model_type(config), "llama");
  config.logit_softcap = 30;
  EXPECT_EQ(hf_model_type(config), "vkgpt");
  EXPECT_EQ(hf_layout(config), TensorLayout::kGpt2);
  GptConfig gemma = test::architecture_grid().back();
  EXPECT_EQ(hf_model_type(gemma), "gemma3_text");
  EXPECT_EQ(hf_layout(gemma), TensorLayout::kLlama);
  for (const auto change :
       {+[](GptConfig& c) { c.norm = "rmsnorm"; }, +[](GptConfig& c) { c.embedding_scale = 2; },
        +[](GptConfig& c) { c.rope_layers = "rl"; }, +[](GptConfig& c) { c.qk_norm = false; }}) {
    GptConfig other = gemma;
    change(other);
    EXPECT_EQ(hf_model_type(other), "vkgpt");
  }
}

TEST(ModelDirectory, ConfigurationsHaveWhatTransformersReads) {
  GptConfig config = test::architecture_grid()[1];
  config.rope_theta = 5e5;
  const Json json = parse_json(model_config_json(config, {.begin = 7, .ends = {7}}), "test");
  EXPECT_EQ(json["architectures"], Json::array({"LlamaForCausalLM"}));
  EXPECT_EQ(json["num_key_value_heads"], config.kv_heads());
  EXPECT_EQ(json["head_dim"], config.head_size());
  EXPECT_EQ(json["rope_theta"], 5e5);
  EXPECT_EQ(json["rope_parameters"], (Json{{"rope_type", "default"}, {"rope_theta", 5e5}}));
  EXPECT_EQ(json["attention_bias"], config.bias);
  EXPECT_EQ(json["mlp_bias"], config.bias);
  EXPECT_EQ(json["eos_token_id"], 7);
  EXPECT_TRUE(parse_json(model_config_json(config), "test")["bos_token_id"].is_null());
}

TEST(ModelDirectory, Gpt2WithoutBiasesIsWrittenWithZeros) {
  GptConfig config = test::architecture_grid()[0];
  config.bias = false;
  const GptParams params(config);
  const TempDirectory temp;
  write_model(temp.path(), params, initial_parameters(params, 1));
  const WeightFiles weights(temp.path(), kModelWeightsFile);
  EXPECT_NE(weights.find("transformer.h.0.ln_1.bias").entry, nullptr);
  EXPECT_NE(weights.find("transformer.h.1.mlp.c_proj.bias").entry, nullptr);
  EXPECT_FALSE(load_model(temp.path()).params.config().bias);
  rewrite_weights(temp.path(), [](auto&) {});
  expect_error([&] { load_model(temp.path()); },
               "is not zero, but by its configuration the model has no biases");
}

TEST(ModelDirectory, WhatTransformersChangedWins) {
  GptConfig config = test::architecture_grid()[0];
  config.n_inner = 0;
  const TempDirectory temp;
  Json json = parse_json(model_config_json(config), "test");
  json["n_positions"] = 12;
  write_file(temp / kModelConfigFile, json.dump());
  EXPECT_EQ(read_model_config(temp.path()).block_size, 12);
  json["n_positions"] = config.block_size;
  write_file(temp / kModelConfigFile, json.dump());
  EXPECT_EQ(read_model_config(temp.path()), config);
}

TEST(ModelDirectory, AdaptersOfLlamaAreThoseOfItsProjections) {
  GptConfig config = test::architecture_grid()[1];
  const GptParams params(config,
                         {.freeze = {}, .lora_rank = 2, .lora_alpha = 6, .lora_targets = {"c_attn", "c_fc"}});
  const TempDirectory temp;
  std::vector<float> arena = initial_parameters(params, 1);
  for (const ParamSpec& spec : params.specs()) {
    if (spec.is_adapter) std::fill_n(arena.begin() + spec.offset, spec.numel(), 0.125f);
  }
  write_model(temp.path(), params, arena);
  write_file(temp / kAdapterConfigFile, adapter_config_json(params, hf_layout(config)));
  {
    OutputFile file(temp / kAdapterWeightsFile);
    write_adapters(file, params, arena);
    file.finish();
  }
  const Json json = read_json_file(temp / kAdapterConfigFile);
  EXPECT_EQ(json["target_modules"], Json::array({"gate_proj", "k_proj", "q_proj", "up_proj", "v_proj"}));
  EXPECT_EQ(json["fan_in_fan_out"], false);
  EXPECT_EQ(read_model_parameters(temp.path(), params), arena);
  const LoadedModel merged = load_model(temp.path());
  const ParamSpec& before = params.find("h.0.attn.c_attn.weight");
  const ParamSpec& after = merged.params.find("h.0.attn.c_attn.weight");
  EXPECT_FLOAT_EQ(merged.arena[static_cast<std::size_t>(after.offset)],
                  arena[static_cast<std::size_t>(before.offset)] + 3 * 2 * 0.125f * 0.125f);
}

TEST(ModelDirectory, ForeignNamesAndBuffers) {
  const TempDirectory temp;
  const GptParams params(test::architecture_grid()[0]);
  const std::vector<float> arena = initial_parameters(params, 1);
  Json json = parse_json(model_config_json(params.config()), "test");
  json.erase("vkgpt");
  write_file(temp / kModelConfigFile, json.dump());
  std::map<std::string, FileTensor> tensors;
  for (const FileTensor& tensor : file_tensors(params, TensorLayout::kGpt2)) {
    tensors[tensor.name.substr(std::string("transformer.").size())] = tensor;  // GPT2Model's names
  }
  std::vector<SafetensorsTensor> written = {{"h.0.attn.bias", DType::kF32, {1, 1, 4, 4}},
                                            {"h.0.attn.masked_bias", DType::kF32, {}}};
  for (const auto& [name, tensor] : tensors) written.push_back({name, DType::kF32, tensor.shape});
  {
    OutputFile file(temp / kModelWeightsFile);
    write_safetensors(file, written, [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
      std::vector<float> values(static_cast<std::size_t>(tensor.shape.numel()));
      if (tensors.contains(tensor.name)) to_file(tensors.at(tensor.name), arena, values);
      sink(std::as_bytes(std::span(values)));
    });
    file.finish();
  }
  EXPECT_EQ(load_model(temp.path()).arena, arena);
}

TEST(ModelDirectory, RefusesModelsThatItWouldComputeWrongly) {
  const std::pair<Json, const char*> cases[] = {
      {{{"model_type", "mixtral"}}, "model_type \"mixtral\" is none that this version runs"},
      {{{"model_type", nullptr}}, "\"model_type\" is missing"},
      {{{"hidden_act", "gelu"}}, "hidden_act \"gelu\""},
      {{{"head_dim", 32}}, "shape (32, 32), the model needs (64, 32)"},
      {{{"head_dim", 129}}, "head_dim"},
      {{{"rope_parameters", {{"rope_type", "llama3"}, {"factor", nullptr}}}}, "\"factor\" is missing"},
      {{{"rope_parameters", {{"high_freq_factor", 1}}}}, "rope_high_freq_factor = 1 must be above"},
      {{{"rope_parameters", {{"rope_type", "longrope"}}}},
       "rotary positions of type \"longrope\" are not supported"},
      {{{"rope_scaling", {{"type", "linear"}}}, {"rope_parameters", nullptr}}, "\"factor\" is missing"},
      {{{"rope_scaling", {{"type", "linear"}, {"rope_type", "yarn"}, {"factor", 2}}}},
       "rope_type \"yarn\" and type \"linear\" contradict each other"},
      {{{"rope_scaling", {{"type", "yarn"}, {"factor", 0.5}}}}, "factor is 0.5"},
      {{{"rope_scaling", {{"type", "yarn"}, {"factor", 2}, {"beta_slow", 40}}}},
       "rope_beta_fast = 32 must be above rope_beta_slow = 40"},
      {{{"rope_scaling", {{"type", "yarn"}, {"factor", 2}, {"original_max_position_embeddings", 10}}},
        {"original_max_position_embeddings", 12}},
       "original_max_position_embeddings is 10 here and 12 beside it"},
      {{{"rope_parameters", {{"sliding_attention", {{"rope_theta", 1}}}}}},
       "positions of their own for sliding_attention"},
      {{{"no_rope_layers", {1, 0}}}, "no_rope_layers is not supported in llama"},
      {{{"model_type", "smollm3"}, {"no_rope_layers", {1}}}, "no_rope_layers is not a list of 2 layers"},
      {{{"model_type", "smollm3"}, {"no_rope_layers", {1, 2}}}, "something but 0 and 1"},
      {{{"model_type", "qwen2"},
        {"use_sliding_window", true},
        {"sliding_window", 4},
        {"layer_types", {"full_attention", "chunked_attention"}}},
       "layer_types names \"chunked_attention\""},
      {{{"model_type", "mistral"},
        {"sliding_window", 4},
        {"layer_types", {"full_attention", "sliding_attention"}}},
       "layer_types names full_attention"},
      {{{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}, "partial rotation"},
      {{{"quantization_config", Json::object()}}, "quantized"},
      {{{"num_hidden_layers", 0}}, "num_hidden_layers is 0"},
      {{{"num_attention_heads", 0}}, "a size is 0"},
      {{{"hidden_size", 1 << 24}, {"head_dim", nullptr}}, "n_embd"},
      {{{"num_hidden_layers", 4000000000}}, "num_hidden_layers"},
      {{{"num_hidden_layers", -1}}, "num_hidden_layers"},
      {{{"rms_norm_eps", "small"}}, "rms_norm_eps"},
      {{{"rms_norm_eps", 0}}, "layer_norm_eps"},
      {{{"tie_word_embeddings", 1}}, "tie_word_embeddings is not true or false"},
      {{{"num_key_value_heads", 3}}, "n_kv_head"},
      {{{"num_attention_heads", 4}, {"head_dim", 8}}, "head size of 8"},
      {{{"vocab_size", 42}}, "shape (41, 32), the model needs (42, 32)"},
      {{{"attention_bias", true}}, "self_attn.q_proj.bias\" is missing"},
      {{{"num_hidden_layers", 3}}, "model.layers.2.input_layernorm.weight\" is missing"},
      {{{"num_hidden_layers", 1}}, "has no place in this model"},
      {{{"tie_word_embeddings", true}}, "lm_head.weight is not the token embedding"},
  };
  for (const auto& [patch, part] : cases) {
    SCOPED_TRACE(patch.dump());
    CopiedModel model("hf_llama");
    model.patch(patch);
    model.expect_refusal(part);
  }
}

TEST(ModelDirectory, ReadsLayersThatDiffer) {
  CopiedModel model("hf_qwen3");
  model.patch({{"use_sliding_window", true},
               {"sliding_window", 4},
               {"layer_types", {"sliding_attention", "full_attention"}}});
  EXPECT_EQ(read_model_config(model.path()).window_layers, "wf");
  model.patch({{"layer_types", {"linear_attention", "full_attention"}}});
  model.expect_refusal("layer_types names \"linear_attention\"");
  model.patch({{"layer_types", {"sliding_attention", "sliding_attention"}}});
  EXPECT_EQ(read_model_config(model.path()).attention_window, 4);
  EXPECT_EQ(read_model_config(model.path()).window_layers, "");
  model.patch({{"layer_types", nullptr}, {"max_window_layers", 1}});
  EXPECT_EQ(read_model_config(model.path()).window_layers, "fw");
  model.patch({{"layer_types", nullptr}, {"max_window_layers", 2}});
  EXPECT_EQ(read_model_config(model.path()).attention_window, 0);
}

TEST(ModelDirectory, AHeadSizeThatIsNotNamedIsTransformersDefault) {
  CopiedModel model("hf_qwen3");
  model.patch({{"head_dim", nullptr}});
  EXPECT_EQ(read_model_config(model.path()).head_size(), 128);
  CopiedModel llama("hf_llama");
  llama.patch({{"head_dim", nullptr}});
  EXPECT_EQ(read_model_config(llama.path()).head_dim, 0);
}

TEST(ModelDirectory, AWindowThatIsNotNamedIsTransformersDefault) {
  CopiedModel model("hf_llama");
  model.patch({{"model_type", "mistral"}, {"max_position_embeddings", 8192}});
  EXPECT_EQ(read_model_config(model.path()).attention_window, 4096);
  Json json = read_json_file(model.path() / kModelConfigFile);
  json["sliding_window"] = nullptr;
  write_file(model.path() / kModelConfigFile, json.dump());
  EXPECT_EQ(read_model_config(model.path()).attention_window, 0) << "null says that there is none";
  json.erase("sliding_window");
  json["max_position_embeddings"] = 4096;
  write_file(model.path() / kModelConfigFile, json.dump());
  EXPECT_FALSE(read_model_config(model.path()).has_window()) << "no shorter than the context";
}

TEST(ModelDirectory, RefusesIndexesThatLie) {
  const char* const first = "model-00001-of-00002.safetensors";
  const auto with_norm_in = [](const Json& file) {
    return Json{{"weight_map", {{"model.norm.weight", file}}}};
  };
  const std::pair<Json, const char*> cases[] = {
      {with_norm_in("../model-00002-of-00002.safetensors"), "no file of this directory"},
      {with_norm_in("/etc/passwd"), "no file of this directory"},
      {with_norm_in(7), "no file of this directory"},
      {with_norm_in("model-00003-of-00002.safetensors"), "No such file"},
      {with_norm_in(first), "model-00001-of-00002.safetensors has no tensor \"model.norm.weight\""},
      {with_norm_in(nullptr), "does not list tensor \"model.norm.weight\""},
      {{{"weight_map", {{"model.extra", first}}}}, "has no tensor \"model.extra\""},
      {{{"weight_map", nullptr}}, "\"weight_map\" is missing"},
      {{{"weight_map", 3}}, "weight_map is not an object"},
  };
  for (const auto& [patch, part] : cases) {
    SCOPED_TRACE(patch.dump());
    CopiedModel model("hf_llama");
    model.patch(patch, kModelIndexFile);
    model.expect_refusal(part);
  }
  CopiedModel model("hf_llama");
  fs::remove(model / first);
  model.expect_refusal("No such file");
  write_file(model / kModelIndexFile, std::string(100, '['));
  model.expect_refusal("nested deeper");
  fs::remove(model / kModelIndexFile);
  write_file(model / "pytorch_model.bin", "x");
  model.expect_refusal("pytorch_model.bin but no model.safetensors");
}

TEST(ModelDirectory, RefusesDamagedWeights) {
  const auto spoiled = [](const std::function<void(std::vector<SafetensorsTensor>&)>& change) {
    auto model = std::make_unique<CopiedModel>("hf_gpt2");
    rewrite_weights(model->path(), change);
    return model;
  };
  spoiled([](auto& tensors) { tensors[0].name = "intruder"; })->expect_refusal("is missing");
  spoiled([](auto& tensors) {
    tensors.push_back({"intruder", DType::kF32, {4}});
  })->expect_refusal("tensor \"intruder\" has no place in this model");
  spoiled([](auto& tensors) { tensors[0].shape = {3, 5}; })->expect_refusal("the model needs");
  spoiled([](auto& tensors) {
    tensors[0].dtype = DType::kI32;
  })->expect_refusal("F32, F16 or BF16 is needed");
  CopiedModel model("hf_gpt2");
  fs::resize_file(model / kModelWeightsFile, fs::file_size(model / kModelWeightsFile) - 1);
  model.expect_refusal("truncated");
  fs::remove(model / kModelWeightsFile);
  model.expect_refusal("No such file");
  write_file(model / kModelConfigFile, std::string(1000, '{'));
  model.expect_refusal("config.json");
}

TEST(ModelDirectory, ShorterContextsKeepTheFirstPositions) {
  GptConfig config = test::architecture_grid()[0];
  const GptParams whole(config);
  const std::vector<float> arena = initial_parameters(whole, 1);
  config.block_size = 8;
  const GptParams cut(config);
  const std::vector<float> moved = rearrange(whole, arena, cut);
  const ParamSpec& from = whole.find("wpe.weight");
  const ParamSpec& to = cut.find("wpe.weight");
  for (std::int64_t i = 0; i < to.numel(); ++i) {
    ASSERT_EQ(moved[static_cast<std::size_t>(to.offset + i)],
              arena[static_cast<std::size_t>(from.offset + i)]);
  }
}

}  // namespace
}  // namespace vkgpt::model
