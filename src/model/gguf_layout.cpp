#include "model/gguf_layout.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/model/file_tensors.hpp"

#include "model/gguf_rope.hpp"
#include "model/hf_layers.hpp"

namespace vkgpt::model {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

// Modules of Hugging Face's files and of GGUF files; those of blocks follow "transformer.h.N." or
// "model.layers.N.", here "blk.N.".
constexpr auto kModules = std::to_array<Names>({{"transformer.wte", "token_embd"},
                                                {"transformer.wpe", "position_embd"},
                                                {"transformer.ln_f", "output_norm"},
                                                {"model.embed_tokens", "token_embd"},
                                                {"model.norm", "output_norm"},
                                                {"lm_head", "output"}});
constexpr auto kGemma3Modules = std::to_array<Names>({{"post_attention_layernorm", "post_attention_norm"},
                                                      {"pre_feedforward_layernorm", "ffn_norm"},
                                                      {"post_feedforward_layernorm", "post_ffw_norm"}});
constexpr auto kBlockModules = std::to_array<Names>({{"ln_1", "attn_norm"},
                                                     {"attn.c_attn", "attn_qkv"},
                                                     {"attn.c_proj", "attn_output"},
                                                     {"ln_2", "ffn_norm"},
                                                     {"mlp.c_fc", "ffn_up"},
                                                     {"mlp.c_proj", "ffn_down"},
                                                     {"input_layernorm", "attn_norm"},
                                                     {"self_attn.q_proj", "attn_q"},
                                                     {"self_attn.k_proj", "attn_k"},
                                                     {"self_attn.v_proj", "attn_v"},
                                                     {"self_attn.q_norm", "attn_q_norm"},
                                                     {"self_attn.k_norm", "attn_k_norm"},
                                                     {"self_attn.o_proj", "attn_output"},
                                                     {"post_attention_layernorm", "ffn_norm"},
                                                     {"mlp.gate_proj", "ffn_gate"},
                                                     {"mlp.up_proj", "ffn_up"},
                                                     {"mlp.down_proj", "ffn_down"}});

std::string_view translated(std::span<const Names> names, std::string_view module) {
  const auto found = std::ranges::find(names, module, &Names::first);
  VKGPT_CHECK(found != names.end(), "{} in GGUF", module);
  return found->second;
}

/// "blk.0.attn_q" for "model.layers.0.self_attn.q_proj".
std::string gguf_module(std::string_view architecture, std::string_view module) {
  for (const std::string_view prefix : {"transformer.h.", "model.layers."}) {
    if (!module.starts_with(prefix)) continue;
    const std::string_view rest = module.substr(prefix.size());
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(dot + 1);
    const bool gemma3 =
        architecture == kGemma3Gguf && part.ends_with("_layernorm") && part != "input_layernorm";
    return vkgpt::format("blk.{}.{}", rest.substr(0, dot),
                         gemma3 ? translated(kGemma3Modules, part) : translated(kBlockModules, part));
  }
  return std::string(translated(kModules, module));
}

bool is_vocabulary(std::string_view module) {
  return module == "token_embd" || module == "output";
}

TensorEncoding stored_as(TensorEncoding wanted, std::string_view module, const Shape& shape) {
  if (shape.rank() < 2 || module == "position_embd") return TensorEncoding::kF32;
  return wanted == TensorEncoding::kQ8_0 && shape.back() % 32 != 0 ? TensorEncoding::kF16 : wanted;
}

std::int64_t rotated_heads(const GptConfig& config, std::string_view architecture, std::string_view module) {
  if (architecture != kLlamaGguf && architecture != kSmolLm3Gguf) return 0;
  if (module.ends_with(".attn_q")) return config.n_head;
  return module.ends_with(".attn_k") ? config.kv_heads() : 0;
}

}  // namespace

std::string gemma3_layers(std::int64_t n_layer) {
  constexpr std::int64_t kPeriod = 6;
  std::string layers;
  for (std::int64_t layer = 1; layer <= n_layer; ++layer) layers += layer % kPeriod == 0 ? 'r' : 'l';
  return shortest_pattern(layers);
}

double gemma3_attention_scalar(const GptConfig& config) {
  constexpr std::int64_t kLargest = 62;  // layers of the model of 27 billion parameters
  return config.n_layer == kLargest ? static_cast<double>(config.n_embd / config.n_head) : 0;
}

std::vector<GgufSource> gguf_sources(const GptParams& params, std::string_view architecture,
                                     TensorEncoding encoding, std::int64_t vocabulary_rows) {
  const GptConfig& config = params.config();
  const bool gpt2 = architecture == kGpt2Gguf;
  std::vector<GgufSource> sources;
  for (const FileTensor& file : file_tensors(params, gpt2 ? TensorLayout::kGpt2 : TensorLayout::kLlama)) {
    const std::size_t dot = file.name.rfind('.');
    const std::string module = gguf_module(architecture, std::string_view(file.name).substr(0, dot));
    const std::string word = file.name.substr(dot);
    const std::int64_t rows = file.transposed ? file.shape[1] : file.shape[0];
    const std::int64_t stored_rows = is_vocabulary(module) ? vocabulary_rows : rows;
    const Shape shape = file.shape.rank() == 1 ? Shape{rows} : Shape{stored_rows, file.spec->shape.back()};
    sources.push_back(
        {.tensor = {.name = module + word, .encoding = stored_as(encoding, module, shape), .shape = shape},
         .spec = file.spec,
         .first_row = file.first_row,
         .rows = rows,
         .rotated_heads = rotated_heads(config, architecture, module),
         .from_one = config.norm_counts_from_one() && file.spec->shape.rank() == 1});
    const bool needs_bias = gpt2 && !config.bias && !is_vocabulary(module) && module != "position_embd";
    if (!needs_bias) continue;
    sources.push_back(
        {.tensor = {.name = module + ".bias", .encoding = TensorEncoding::kF32, .shape = {rows}},
         .spec = nullptr,
         .first_row = 0,
         .rows = 0,
         .rotated_heads = 0});
  }
  std::vector<float> divisors = rope_divisors(config);
  if (architecture == kLlamaGguf && !divisors.empty()) {
    const auto count = static_cast<std::int64_t>(divisors.size());
    sources.push_back({.tensor = {.name = kRopeDivisors, .encoding = TensorEncoding::kF32, .shape = {count}},
                       .numbers = std::move(divisors)});
  }
  return sources;
}

}  // namespace vkgpt::model
