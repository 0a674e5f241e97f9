#include "vkgpt/model/gguf_model.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

#include "model/gguf_layout.hpp"
#include "model/gguf_rope.hpp"
#include "model/gguf_rows.hpp"
#include "model/hf_gemma3.hpp"
#include "model/hf_layers.hpp"

namespace vkgpt::model {
namespace {

constexpr std::string_view kQwen3 = "qwen3";

using Source = GgufSource;

void write_source(const Source& source, std::span<const float> arena, const ByteSink& sink) {
  const auto& [tensor, spec, first_row, rows, heads, from_one, numbers] = source;
  if (!numbers.empty()) return encode_tensor(tensor.name, numbers, tensor.encoding, sink);
  std::size_t written = 0;
  if (spec != nullptr) {
    const std::int64_t width = spec->numel() / spec->shape[0];
    std::span<const float> values = arena.subspan(static_cast<std::size_t>(spec->offset + first_row * width),
                                                  static_cast<std::size_t>(rows * width));
    std::vector<float> changed;
    if (heads > 0) changed = pair_halves(values, heads, rows);
    if (from_one) {
      for (const float value : values) changed.push_back(1 + value);
    }
    if (!changed.empty()) values = changed;
    encode_tensor(tensor.name, values, tensor.encoding, sink);
    written = values.size();
  }
  const std::vector<float> zeros(static_cast<std::size_t>(tensor.shape.numel()) - written);
  encode_tensor(tensor.name, zeros, tensor.encoding, sink);
}

void refuse(std::string_view setting) {
  fail("llama.cpp has no architecture for {}: this model cannot be exported to GGUF", setting);
}

/// llama.cpp has Gemma 3's kinds of layers and what its sizes divide scores by built in.
std::string_view gemma3_architecture(const GptConfig& config) {
  if (!is_gemma3(config)) refuse("such a part of Gemma 3 without the others");
  if (gemma3_layers(config.n_layer) != config.rope_layers) {
    refuse("such rope_layers (of Gemma 3 it runs lllllr)");
  }
  if (config.rope_local_theta != GptConfig{}.rope_local_theta) refuse("such a rope_local_theta");
  if (config.rope_scaling != "none" && config.rope_scaling != "linear") refuse("such a rope_scaling");
  if (config.attention_scalar != gemma3_attention_scalar(config)) refuse("such an attention_scalar");
  return kGemma3Gguf;
}

std::vector<GgufEntry> model_metadata(const GptConfig& config, TensorEncoding encoding,
                                      const GgufDescription& description) {
  const std::string a(gguf_architecture(config));
  const auto number = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  // llama.cpp's LLAMA_FTYPE_*, in the order of TensorEncoding.
  constexpr std::array<std::uint32_t, 4> kFileTypes = {0, 1, 32, 7};
  std::vector<GgufEntry> entries = {
      {"general.architecture", a},
      {"general.type", std::string("model")},
      {"general.name", description.name},
      {"general.file_type", kFileTypes[static_cast<std::size_t>(encoding)]},
      {"general.quantization_version", std::uint32_t{2}},
      {a + ".block_count", number(config.n_layer)},
      {a + ".context_length", number(config.block_size)},
      {a + ".embedding_length", number(config.n_embd)},
      {a + ".feed_forward_length", number(config.inner_width())},
      {a + ".attention.head_count", number(config.n_head)},
      {a + ".attention.head_count_kv", number(config.kv_heads())},
      {a + ".attention.key_length", number(config.head_size())},
      {a + ".attention.value_length", number(config.head_size())},
      {a + ".vocab_size", number(description.vocabulary_rows)},
      {a + (a == kGpt2Gguf ? ".attention.layer_norm_epsilon" : ".attention.layer_norm_rms_epsilon"),
       static_cast<float>(config.layer_norm_eps)}};
  if (a == kGemma3Gguf) {
    const std::int64_t window = config.attention_window > 0 ? config.attention_window : config.block_size;
    entries.push_back({a + ".attention.sliding_window", number(window)});
    if (config.logit_softcap != 0) {
      entries.push_back({a + ".final_logit_softcapping", static_cast<float>(config.logit_softcap)});
    }
  }
  if (config.has_rope()) {
    entries.push_back({a + ".rope.dimension_count", number(config.head_size())});
    entries.push_back({a + ".rope.freq_base", static_cast<float>(config.rope_base())});
    add_rope_scaling(config, a, entries);
  }
  std::ranges::copy(description.vocabulary, std::back_inserter(entries));
  return entries;
}

}  // namespace

std::string_view gguf_architecture(const GptConfig& config) {
  if (has_gemma3_parts(config)) return gemma3_architecture(config);
  if (config.has_window()) refuse("attention_window in such a model");
  if (config.logit_softcap != 0) refuse("logit_softcap in such a model");
  if (config.parallel_blocks) refuse("parallel_blocks in such a model");
  const bool no_positions = !config.rope_layers.empty();
  if (config.rope_scaling == "llama3" && (config.qk_norm || no_positions)) {
    refuse("rope_scaling llama3 with qk_norm or rope_layers");
  }
  if (config.rope_scaling == "yarn" && !config.rope_truncate) refuse("rope_truncate false");
  if (no_positions &&
      (config.bias || config.qk_norm || shortest_pattern(config.rope_layers) != kSmolLm3Layers)) {
    refuse("such rope_layers (it runs rrrn, without biases and qk_norm)");
  }
  const bool gpt2 = config.norm == "layernorm" && config.mlp == "gelu" && !config.has_rope();
  const bool llama = config.has_rms_norm() && config.mlp == "swiglu" && config.has_rope();
  if (!gpt2 && !llama) {
    refuse(
        vkgpt::format("norm = {}, mlp = {}, pos_encoding = {} (it runs layernorm, gelu, learned and rmsnorm, "
                      "swiglu, rope)",
                      config.norm, config.mlp, config.pos_encoding));
  }
  if (gpt2 && config.qk_norm) refuse("qk_norm with learned positions");
  if (gpt2 && config.attention_width() != config.n_embd) refuse("head_dim with learned positions");
  if (config.qk_norm && config.bias) refuse("qk_norm with biases");
  if (gpt2) return kGpt2Gguf;
  if (no_positions) return kSmolLm3Gguf;
  return config.qk_norm ? kQwen3 : kLlamaGguf;
}

GgufSummary write_gguf_model(OutputFile& file, const LoadedModel& model, TensorEncoding encoding,
                             const GgufDescription& description) {
  VKGPT_CHECK(description.vocabulary_rows >= model.params.config().vocab_size);
  const std::vector<Source> sources = gguf_sources(model.params, gguf_architecture(model.params.config()),
                                                   encoding, description.vocabulary_rows);
  std::vector<GgufTensor> tensors;
  GgufSummary summary{.architecture = gguf_architecture(model.params.config()),
                      .tensors = static_cast<std::int64_t>(sources.size()),
                      .not_quantized = 0};
  for (const Source& source : sources) {
    tensors.push_back(source.tensor);
    summary.not_quantized +=
        encoding == TensorEncoding::kQ8_0 && source.tensor.encoding == TensorEncoding::kF16 ? 1 : 0;
  }
  write_gguf(file, model_metadata(model.params.config(), encoding, description), tensors,
             [&](std::size_t i, const ByteSink& sink) { write_source(sources[i], model.arena, sink); });
  return summary;
}

}  // namespace vkgpt::model
