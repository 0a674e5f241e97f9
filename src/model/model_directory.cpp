#include "vkgpt/model/model_directory.hpp"

#include <map>
#include <string>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::model {
namespace {

constexpr std::uint64_t kMaxSize = 1 << 24;

std::string disk_name(const ParamSpec& spec) {
  return spec.name == "lm_head.weight" ? spec.name : "transformer." + spec.name;
}

std::span<const float> part(std::span<const float> arena, const ParamSpec& spec) {
  return arena.subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.shape.numel()));
}

std::span<float> part(std::span<float> arena, const ParamSpec& spec) {
  return arena.subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.shape.numel()));
}

}  // namespace

std::string model_config_json(const GptConfig& config) {
  // The keys that transformers' GPT2Config reads; n_ctx is for llama.cpp's converter.
  const Json json = {{"architectures", {"GPT2LMHeadModel"}},
                     {"model_type", "gpt2"},
                     {"vocab_size", config.vocab_size},
                     {"n_positions", config.block_size},
                     {"n_ctx", config.block_size},
                     {"n_embd", config.n_embd},
                     {"n_layer", config.n_layer},
                     {"n_head", config.n_head},
                     {"n_inner", 4 * config.n_embd},
                     {"activation_function", "gelu_new"},
                     {"layer_norm_epsilon", config.layer_norm_eps},
                     {"tie_word_embeddings", config.tie_weights},
                     {"bos_token_id", nullptr},
                     {"eos_token_id", nullptr},
                     {"embd_pdrop", 0.0},
                     {"attn_pdrop", 0.0},
                     {"resid_pdrop", 0.0},
                     {"dtype", "float32"}};
  return json.dump(2) + "\n";
}

void write_model_parameters(OutputFile& file, const GptParams& params, std::span<const float> arena) {
  std::map<std::string, const ParamSpec*> by_name;
  std::vector<SafetensorsTensor> tensors;
  for (const ParamSpec& spec : params.specs()) {
    by_name[disk_name(spec)] = &spec;
    tensors.push_back({disk_name(spec), DType::kF32, spec.disk_shape});
  }
  std::vector<float> disk;
  write_safetensors(file, std::move(tensors),
                    [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      const ParamSpec& spec = *by_name.at(tensor.name);
                      disk.resize(static_cast<std::size_t>(spec.disk_shape.numel()));
                      to_disk_layout(spec, part(arena, spec), disk);
                      sink(std::as_bytes(std::span(disk)));
                    });
}

GptConfig read_model_config(const Path& directory) {
  const Path path = directory / kModelConfigFile;
  const std::string where = path.string();
  const Json json = read_json_file(path);
  if (!json.is_object() || json.value("model_type", Json()) != "gpt2") {
    fail("{}: model_type is not \"gpt2\", the only kind this version runs", where);
  }
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
  if (config.vocab_size == 0 || config.n_layer == 0 || config.n_head == 0 || config.n_embd == 0 ||
      config.block_size == 0) {
    fail("{}: a size is 0", where);
  }
  if (json.contains("n_inner") && !json["n_inner"].is_null() && size("n_inner") != 4 * config.n_embd) {
    fail("{}: n_inner is {}, this version runs 4 n_embd = {}", where, size("n_inner"), 4 * config.n_embd);
  }
  try {
    config.validate();
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
  return config;
}

std::vector<float> read_model_parameters(const Path& directory, const GptParams& params) {
  const SafetensorsFile file(directory / kModelWeightsFile);
  std::vector<float> arena(static_cast<std::size_t>(params.arena_elements()), 0.0f);
  std::vector<float> disk;
  for (const ParamSpec& spec : params.specs()) {
    const SafetensorsEntry& entry = file.expect(disk_name(spec), spec.disk_shape);
    disk.resize(static_cast<std::size_t>(spec.disk_shape.numel()));
    file.read(entry, std::span<float>(disk));
    from_disk_layout(spec, disk, part(std::span<float>(arena), spec));
  }
  return arena;
}

void write_arenas(OutputFile& file, const GptParams& params, std::span<const NamedArena> arenas) {
  std::map<std::string, std::span<const float>> by_name;
  std::vector<SafetensorsTensor> tensors;
  for (const NamedArena& arena : arenas) {
    for (const ParamSpec& spec : params.specs()) {
      by_name[arena.prefix + spec.name] = part(arena.values, spec);
      tensors.push_back({arena.prefix + spec.name, DType::kF32, spec.shape});
    }
  }
  write_safetensors(file, std::move(tensors),
                    [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      sink(std::as_bytes(by_name.at(tensor.name)));
                    });
}

std::vector<float> read_arena(const Path& path, const GptParams& params, const std::string& prefix) {
  const SafetensorsFile file(path);
  std::vector<float> arena(static_cast<std::size_t>(params.arena_elements()), 0.0f);
  for (const ParamSpec& spec : params.specs()) {
    file.read(file.expect(prefix + spec.name, spec.shape), part(std::span<float>(arena), spec));
  }
  return arena;
}

}  // namespace vkgpt::model
