#include "vkgpt/model/gguf_import.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

#include "model/gguf_blocks.hpp"
#include "model/gguf_layout.hpp"
#include "model/gguf_params.hpp"
#include "model/gguf_rope.hpp"
#include "model/gguf_rows.hpp"

namespace vkgpt::model {
namespace {

constexpr std::array<std::string_view, 6> kArchitectures = {"gpt2",  "llama",   "qwen2",
                                                            "qwen3", "smollm3", kGemma3Gguf};

/// The numbers of one architecture.
class Settings {
 public:
  Settings(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  std::int64_t size(const char* key) const {
    constexpr std::int64_t kMaxSize = 1 << 24;
    const auto value = file_.get<std::int64_t>(prefix_ + key);
    if (value < 0 || value > kMaxSize) fail("{}: {}{} is {}", file_.where(), prefix_, key, value);
    return value;
  }
  std::int64_t size(const char* key, std::int64_t otherwise) const {
    return file_.has(prefix_ + key) ? size(key) : otherwise;
  }
  double number(const char* key) const { return file_.get<double>(prefix_ + key); }
  double number(const char* key, double otherwise) const {
    return file_.has(prefix_ + key) ? number(key) : otherwise;
  }
  std::string word(const char* key, const char* otherwise) const {
    return file_.get<std::string>(prefix_ + key, std::string(otherwise));
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

std::string architecture_of(const GgufFile& file) {
  const auto& architecture = file.get<std::string>("general.architecture");
  if (!std::ranges::contains(kArchitectures, architecture)) {
    fail("{}: architecture {} is none that this version runs (gpt2, llama, qwen2, qwen3, smollm3, gemma3)",
         file.where(), json_quoted(architecture));
  }
  return architecture;
}

const GgufTensorInfo& embedding_of(const GgufFile& file) {
  const GgufTensorInfo* embedding = file.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.rank() != 2) {
    fail("{}: it has no token_embd.weight: is it a language model?", file.where());
  }
  return *embedding;
}

bool has_biases(const GgufFile& file) {
  return std::ranges::any_of(file.tensors(), [](const GgufTensorInfo& tensor) {
    return tensor.name.starts_with("blk.") && tensor.name.ends_with(".bias");
  });
}

void read_rope(const GgufFile& file, const Settings& settings, ModelFormat& format) {
  GptConfig& config = format.config;
  config.rope_theta = settings.number("rope.freq_base", 10000);
  const std::int64_t rotated = settings.size("rope.dimension_count", config.head_size());
  if (rotated != config.head_size()) {
    fail("{}: {} of {} numbers of a head are rotated, which is not supported", file.where(), rotated,
         config.head_size());
  }
  read_rope_scaling(file, format.model_type, config);
  if (format.model_type == "smollm3" && config.n_layer >= std::ssize(kSmolLm3Layers)) {
    config.rope_layers = kSmolLm3Layers;
  }
}

void read_gemma3(const Settings& settings, GptConfig& config) {
  config.norm = "rmsnorm1p";
  config.mlp = "geglu";
  config.qk_norm = true;
  config.branch_norms = true;
  config.embedding_scale = std::sqrt(static_cast<double>(config.n_embd));
  config.attention_scalar = gemma3_attention_scalar(config);
  config.logit_softcap = settings.number("final_logit_softcapping", 0);
  const std::int64_t window = settings.size("attention.sliding_window", 0);
  if (window == 0) return;
  config.rope_layers = gemma3_layers(config.n_layer);
  config.rope_local_theta = settings.number("rope.freq_base_swa", config.rope_local_theta);
  config.attention_window = window;
  for (const char letter : config.rope_layers) config.window_layers += letter == 'l' ? 'w' : 'f';
  if (!config.window_layers.contains('f')) config.window_layers.clear();
}

void check_gguf_config(const GptConfig& config, const std::string& where) {
  try {
    if (config.vocab_size == 0 || config.n_layer == 0 || config.n_head == 0 || config.n_embd == 0 ||
        config.block_size == 0) {
      fail("a size is 0");
    }
    config_from_json<GptConfig>(config_to_json(config).dump(), where);
    config.validate();
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
}

/// Where a row of a source belongs among those of its parameter: halves in place of pairs.
std::int64_t placed_row(const GgufSource& source, std::int64_t row) {
  return source.rotated_heads == 0 ? row : halved_row(row, source.rows / source.rotated_heads);
}

}  // namespace

bool is_gguf(const Path& path) {
  if (path.extension() == ".gguf") return true;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, 4> magic{};
  std::ifstream(path, std::ios::binary).read(magic.data(), magic.size());
  return std::string_view(magic.data(), magic.size()) == "GGUF";
}

ModelFormat read_gguf_format(const GgufFile& file) {
  ModelFormat format;
  format.model_type = architecture_of(file);
  const bool gpt2 = format.model_type == "gpt2";
  format.layout = gpt2 ? TensorLayout::kGpt2 : TensorLayout::kLlama;
  const Settings settings(file, format.model_type + ".");
  GptConfig& config = format.config;
  config.vocab_size = embedding_of(file).shape[0];
  config.n_layer = settings.size("block_count");
  config.n_head = settings.size("attention.head_count");
  config.n_kv_head = settings.size("attention.head_count_kv", config.n_head);
  config.n_embd = settings.size("embedding_length");
  config.n_inner = settings.size("feed_forward_length");
  config.block_size = settings.size("context_length");
  config.layer_norm_eps =
      settings.number(gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon");
  config.tie_weights = file.find("output.weight") == nullptr;
  if (config.n_head == 0) fail("{}: a size is 0", file.where());
  const std::int64_t head_dim = settings.size("attention.key_length", 0);
  config.head_dim = head_dim * config.n_head == config.n_embd ? 0 : head_dim;
  config.bias = gpt2 || has_biases(file);
  if (!gpt2) {
    config.norm = "rmsnorm";
    config.mlp = "swiglu";
    config.pos_encoding = "rope";
    config.qk_norm = format.model_type == "qwen3";
    if (format.model_type == kGemma3Gguf) read_gemma3(settings, config);
    read_rope(file, settings, format);
  }
  check_gguf_config(config, file.where());
  return format;
}

namespace {

/// The parameters in a GGUF file. Opening checks that all are there, and nothing else is.
class GgufParams final : public ParamSource {
 public:
  /// `file` outlives the source.
  GgufParams(const GgufFile& file, const ModelFormat& format)
      : file_(file),
        params_(format.config),
        sources_(gguf_sources(params_, format.model_type, TensorEncoding::kF32, format.config.vocab_size)) {
    std::set<std::string_view> used;
    for (const GgufSource& source : sources_) {
      const GgufTensorInfo* tensor = file.find(source.tensor.name);
      if (tensor == nullptr && source.tensor.name.ends_with(".bias")) continue;  // it is zero
      if (tensor == nullptr && source.spec == nullptr) continue;                 // the settings say it
      if (tensor == nullptr) fail("{}: tensor {} is missing", file.where(), json_quoted(source.tensor.name));
      if (tensor->shape != source.tensor.shape) {
        fail("{}: tensor {} has the shape {}, expected {}", file.where(), json_quoted(tensor->name),
             tensor->shape.to_string(), source.tensor.shape.to_string());
      }
      used.insert(tensor->name);
    }
    for (const GgufTensorInfo& tensor : file.tensors()) {
      if (!used.contains(tensor.name)) {
        fail("{}: tensor {} has no place in this model", file.where(), json_quoted(tensor.name));
      }
    }
  }

  void read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
            std::span<float> values) const override {
    const std::int64_t width = row_width(spec);
    std::ranges::fill(values, 0.0F);
    for (const GgufSource& source : sources_) {
      if (source.spec == nullptr || source.spec->name != spec.name) continue;
      const GgufTensorInfo* tensor = file_.find(source.tensor.name);
      const std::int64_t begin = std::max(first, source.first_row);
      const std::int64_t end = std::min(first + count, source.first_row + source.rows);
      if (tensor == nullptr || begin >= end) continue;
      const auto offset = static_cast<std::size_t>((begin - source.first_row) * width);
      const std::span<float> part = values.subspan(static_cast<std::size_t>((begin - first) * width),
                                                   static_cast<std::size_t>((end - begin) * width));
      if (source.rotated_heads == 0 && width > 1) {
        read_part(*tensor, offset, part);
        continue;
      }
      std::vector<float> stored(static_cast<std::size_t>(tensor->shape.numel()));
      file_.read(*tensor, stored);
      if (source.rotated_heads > 0) stored = halve_pairs(stored, source.rotated_heads, source.rows);
      if (source.from_one) {
        for (float& value : stored) value -= 1;
      }
      std::ranges::copy(std::span(stored).subspan(offset, part.size()), part.begin());
    }
  }

  bool read_blocks(const ParamSpec& spec, BlockType type, std::int64_t first, std::int64_t count,
                   std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) const override {
    for (const GgufSource& source : sources_) {
      if (source.spec == nullptr || source.spec->name != spec.name) continue;
      const GgufTensorInfo* tensor = file_.find(source.tensor.name);
      if (tensor == nullptr || ggml_block_type(tensor->type) != type) return false;
    }
    // Rows that pad a vocabulary.
    std::ranges::fill(quants, 0U);
    std::ranges::fill(scales, 0U);
    for (const GgufSource& source : sources_) {
      if (source.spec == nullptr || source.spec->name != spec.name) continue;
      place_blocks(source, type, first, count, quants, scales);
    }
    return true;
  }

 private:
  /// The rows of a tensor that are among rows [first, first + count) of its parameter.
  void place_blocks(const GgufSource& source, BlockType type, std::int64_t first, std::int64_t count,
                    std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) const {
    const GgufTensorInfo& tensor = *file_.find(source.tensor.name);
    const auto row_blocks = static_cast<std::size_t>(tensor.shape.back()) / block_format(type).values;
    std::vector<std::byte> bytes(row_blocks * ggml_block_bytes(type));
    for (std::int64_t row = 0; row < source.rows; ++row) {
      const std::int64_t to = source.first_row + placed_row(source, row) - first;
      if (to < 0 || to >= count) continue;
      file_.read_bytes(tensor, static_cast<std::uint64_t>(row) * bytes.size(), bytes);
      place_ggml_blocks(type, bytes, static_cast<std::size_t>(to) * row_blocks, quants, scales);
    }
  }

  /// Whole rows, of which `first` is the first number.
  void read_part(const GgufTensorInfo& tensor, std::size_t first, std::span<float> values) const {
    GgufTensorInfo part = tensor;
    const auto all = static_cast<std::uint64_t>(tensor.shape.numel());
    part.offset +=
        tensor.bytes / tensor.shape[0] * (first / (all / static_cast<std::uint64_t>(tensor.shape[0])));
    part.shape = Shape{static_cast<std::int64_t>(values.size())};
    file_.read(part, values);
  }

  const GgufFile& file_;
  GptParams params_;
  std::vector<GgufSource> sources_;
};

/// A file and its parameters.
class OpenGguf final : public ParamSource {
 public:
  explicit OpenGguf(const Path& path) : file_(path), params_(file_, read_gguf_format(file_)) {}
  void read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
            std::span<float> values) const override {
    params_.read(spec, first, count, values);
  }
  bool read_blocks(const ParamSpec& spec, BlockType type, std::int64_t first, std::int64_t count,
                   std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) const override {
    return params_.read_blocks(spec, type, first, count, quants, scales);
  }

 private:
  GgufFile file_;
  GgufParams params_;
};

}  // namespace

std::unique_ptr<ParamSource> open_gguf_params(const Path& path) {
  return std::make_unique<OpenGguf>(path);
}

LoadedModel read_gguf_model(const GgufFile& file) {
  ModelFormat format = read_gguf_format(file);
  const GgufParams source(file, format);
  LoadedModel model{GptParams(format.config), {}, std::move(format)};
  model.arena.assign(static_cast<std::size_t>(model.params.arena_elements()), 0.0F);
  for (const ParamSpec& spec : model.params.specs()) {
    source.read(spec, 0, spec.numel() / row_width(spec),
                std::span(model.arena)
                    .subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel())));
  }
  return model;
}

}  // namespace vkgpt::model
