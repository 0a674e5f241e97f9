#include "vkgpt/model/file_tensors.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/param_source.hpp"

namespace vkgpt::model {
namespace {

/// Consecutive rows of a module of ours as a module of a file.
struct ModuleRows {
  std::string name;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

constexpr std::string_view kGpt2Prefix = "transformer.";

bool is_conv1d(std::string_view module) {
  return module.ends_with(".c_attn") || module.ends_with(".c_proj") || module.ends_with(".c_fc");
}

std::string gpt2_name(std::string_view module) {
  return module == "lm_head" ? std::string(module) : std::string(kGpt2Prefix) + std::string(module);
}

/// Modules of LlamaForCausalLM and its relatives that hold `module`, whose parameters have `rows` rows.
std::vector<ModuleRows> llama_modules(const GptConfig& config, std::string_view module, std::int64_t rows) {
  if (module == "wte") return {{"model.embed_tokens", 0, rows}};
  if (module == "ln_f") return {{"model.norm", 0, rows}};
  if (module == "lm_head") return {{"lm_head", 0, rows}};
  VKGPT_CHECK(module.starts_with("h."), "{} in LLaMA's layout", module);
  const std::size_t dot = module.find('.', 2);
  const std::string layer = "model.layers." + std::string(module.substr(2, dot - 1));
  const std::string_view part = module.substr(dot + 1);
  if (part == "attn.c_attn") {
    const std::int64_t q = config.n_head * config.head_size();
    const std::int64_t kv = config.kv_heads() * config.head_size();
    return {{layer + "self_attn.q_proj", 0, q},
            {layer + "self_attn.k_proj", q, kv},
            {layer + "self_attn.v_proj", q + kv, kv}};
  }
  if (part == "mlp.c_fc") {
    VKGPT_CHECK(config.has_gate(), "{} in LLaMA's layout", module);
    const std::int64_t F = config.inner_width();
    return {{layer + "mlp.gate_proj", 0, F}, {layer + "mlp.up_proj", F, F}};
  }
  // With norms behind the branches the norm behind the attention has the name that the MLP's has elsewhere.
  if (part == "ln_2") {
    const char* name = config.branch_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    return {{layer + name, 0, rows}};
  }
  constexpr std::pair<std::string_view, std::string_view> kSame[] = {
      {"ln_1", "input_layernorm"},
      {"attn.q_norm", "self_attn.q_norm"},
      {"attn.k_norm", "self_attn.k_norm"},
      {"attn.c_proj", "self_attn.o_proj"},
      {"attn.ln_out", "post_attention_layernorm"},
      {"mlp.c_proj", "mlp.down_proj"},
      {"mlp.ln_out", "post_feedforward_layernorm"}};
  const auto* same = std::ranges::find(kSame, part, &std::pair<std::string_view, std::string_view>::first);
  VKGPT_CHECK(same != std::end(kSame), "{} in LLaMA's layout", module);
  return {{layer + std::string(same->second), 0, rows}};
}

/// "h.0.ln_1", ".weight": what a parameter belongs to and its word for it.
std::pair<std::string_view, std::string_view> split_name(std::string_view name, bool is_adapter) {
  std::size_t dot = name.rfind('.');
  if (is_adapter) dot = name.rfind('.', dot - 1);  // ".lora_A.weight"
  return {name.substr(0, dot), name.substr(dot)};
}

/// The first dimension of `shape` cut to `rows`.
Shape with_rows(const Shape& shape, std::int64_t rows) {
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  dims[0] = rows;
  return Shape(std::move(dims));
}

std::int64_t row_count(const FileTensor& tensor) {
  return tensor.transposed ? tensor.shape[1] : tensor.shape[0];
}

template <typename T>
std::span<T> rows_of(const FileTensor& tensor, std::span<T> arena) {
  const std::int64_t width = row_width(*tensor.spec);
  return arena.subspan(static_cast<std::size_t>(tensor.spec->offset + tensor.first_row * width),
                       static_cast<std::size_t>(row_count(tensor) * width));
}

/// to[j, i] = from[i, j], in squares that stay in the cache.
void transpose(std::span<const float> from, std::size_t rows, std::size_t columns, std::span<float> to) {
  constexpr std::size_t kSide = 32;
  for (std::size_t row = 0; row < rows; row += kSide) {
    for (std::size_t column = 0; column < columns; column += kSide) {
      for (std::size_t i = row; i < std::min(row + kSide, rows); ++i) {
        for (std::size_t j = column; j < std::min(column + kSide, columns); ++j) {
          to[j * rows + i] = from[i * columns + j];
        }
      }
    }
  }
}

std::vector<FileTensor> list_tensors(const GptParams& params, TensorLayout layout, bool adapters) {
  std::vector<FileTensor> tensors;
  for (const ParamSpec& spec : params.specs()) {
    if (spec.is_adapter != adapters) continue;
    const auto [module, word] = split_name(spec.name, spec.is_adapter);
    const std::string prefix = adapters ? std::string(kAdapterPrefix) : "";
    if (layout == TensorLayout::kGpt2) {
      const bool transposed = !adapters && word == ".weight" && is_conv1d(module);
      const Shape& shape = spec.unpadded_shape;
      tensors.push_back({.name = prefix + gpt2_name(module) + std::string(word),
                         .shape = transposed ? Shape{shape[1], shape[0]} : shape,
                         .spec = &spec,
                         .first_row = 0,
                         .transposed = transposed});
      continue;
    }
    const std::int64_t rows = spec.unpadded_shape[0];
    for (const ModuleRows& part : llama_modules(params.config(), module, rows)) {
      // Adapters that share their A (r, in) become adapters with the same A.
      const bool whole = word == ".lora_A.weight";
      tensors.push_back({.name = prefix + part.name + std::string(word),
                         .shape = with_rows(spec.unpadded_shape, whole ? rows : part.count),
                         .spec = &spec,
                         .first_row = whole ? 0 : part.first,
                         .transposed = false});
    }
  }
  return tensors;
}

}  // namespace

std::vector<FileTensor> file_tensors(const GptParams& params, TensorLayout layout) {
  return list_tensors(params, layout, false);
}

std::vector<FileTensor> adapter_tensors(const GptParams& params, TensorLayout layout) {
  return list_tensors(params, layout, true);
}

void to_file(const FileTensor& tensor, std::span<const float> arena, std::span<float> file) {
  VKGPT_CHECK(std::cmp_equal(file.size(), tensor.shape.numel()), "{}", tensor.name);
  const std::span<const float> rows = rows_of(tensor, arena);
  if (tensor.transposed) {
    transpose(rows, static_cast<std::size_t>(tensor.shape[1]), static_cast<std::size_t>(tensor.shape[0]),
              file);
  } else {
    std::ranges::copy(rows, file.begin());
  }
}

void from_file(const FileTensor& tensor, std::span<const float> file, std::span<float> arena) {
  VKGPT_CHECK(std::cmp_equal(file.size(), tensor.shape.numel()), "{}", tensor.name);
  const std::span<float> rows = rows_of(tensor, arena);
  if (tensor.transposed) {
    transpose(file, static_cast<std::size_t>(tensor.shape[0]), static_cast<std::size_t>(tensor.shape[1]),
              rows);
  } else {
    std::ranges::copy(file, rows.begin());
  }
}

}  // namespace vkgpt::model
