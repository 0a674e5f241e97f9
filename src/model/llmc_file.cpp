#include "vkgpt/model/llmc_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/half.hpp"

namespace vkgpt::model {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read as they are");

constexpr std::int32_t kMagic = 20240326;
constexpr std::int32_t kVersionF32 = 3;
constexpr std::int32_t kVersionBF16 = 5;
constexpr std::int64_t kVocabularyStep = 128;

using Header = std::array<std::int32_t, 256>;
// Where the header holds what.
enum Field : std::size_t { kMagicAt, kVersionAt, kMaxT, kV, kL, kNH, kC, kVp };

/// The tensors in the order of the file; those with "*" once per block, all blocks' one after the other.
constexpr std::array kTensors = {"wte.weight",
                                 "wpe.weight",
                                 "h.*.ln_1.weight",
                                 "h.*.ln_1.bias",
                                 "h.*.attn.c_attn.weight",
                                 "h.*.attn.c_attn.bias",
                                 "h.*.attn.c_proj.weight",
                                 "h.*.attn.c_proj.bias",
                                 "h.*.ln_2.weight",
                                 "h.*.ln_2.bias",
                                 "h.*.mlp.c_fc.weight",
                                 "h.*.mlp.c_fc.bias",
                                 "h.*.mlp.c_proj.weight",
                                 "h.*.mlp.c_proj.bias",
                                 "ln_f.weight",
                                 "ln_f.bias"};

/// Calls `visit(parameter)` in the order of the file.
template <typename Visit>
void visit_in_file_order(const GptParams& params, Visit&& visit) {
  for (const std::string name : kTensors) {
    const std::size_t star = name.find('*');
    if (star == std::string::npos) {
      visit(params.find(name));
      continue;
    }
    for (std::int64_t layer = 0; layer < params.config().n_layer; ++layer) {
      visit(params.find(std::string(name).replace(star, 1, std::to_string(layer))));
    }
  }
}

/// Numbers of a parameter that the file holds, without the vocabulary's padding.
std::int64_t stored_numbers(const ParamSpec& spec) {
  return spec.unpadded_shape.numel();
}

std::int64_t file_vocabulary_padding(const GptConfig& config, std::int64_t padded_vocabulary) {
  return (padded_vocabulary - config.vocab_size) * config.n_embd;
}

Header read_header(const InputFile& file) {
  const std::string where = file.path().string();
  Header header{};
  if (file.size() < sizeof(header)) {
    fail("{}: too short for a model of llm.c ({} bytes)", where, file.size());
  }
  file.read_at(0, std::as_writable_bytes(std::span(header)));
  if (header[kMagicAt] != kMagic)
    fail("{}: it is not a model of llm.c (it does not begin with {})", where, kMagic);
  const std::int32_t version = header[kVersionAt];
  if (version != kVersionF32 && version != kVersionBF16) {
    fail("{}: version {} of llm.c's format; 3 (fp32) and 5 (bf16) are read", where, version);
  }
  return header;
}

GptConfig config_of(const Header& header, const std::string& where) {
  const auto size = [&](Field field, const char* name, std::int64_t max) {
    const std::int64_t value = header[field];
    if (value < 1 || value > max)
      fail("{}: {} = {} in its header; 1 to {} is allowed", where, name, value, max);
    return value;
  };
  GptConfig config;
  config.block_size = size(kMaxT, "the context length", 1 << 20);
  config.vocab_size = size(kV, "the vocabulary", 1 << 24);
  config.n_layer = size(kL, "the number of layers", 1024);
  config.n_head = size(kNH, "the number of heads", 1024);
  config.n_embd = size(kC, "the width", 1 << 17);
  if (size(kVp, "the padded vocabulary", 1 << 24) < config.vocab_size) {
    fail("{}: its padded vocabulary of {} is smaller than its vocabulary of {}", where, header[kVp],
         config.vocab_size);
  }
  try {
    config.validate();
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
  return config;
}

/// Parameters without a table of them: the sizes are within their limits, so that nothing overflows.
std::uint64_t expected_size(const GptConfig& config, std::int64_t padded_vocabulary,
                            std::uint64_t number_size) {
  const auto C = static_cast<std::uint64_t>(config.n_embd);
  const auto L = static_cast<std::uint64_t>(config.n_layer);
  const std::uint64_t rows = static_cast<std::uint64_t>(padded_vocabulary + config.block_size);
  return sizeof(Header) + number_size * (rows * C + L * (12 * C * C + 13 * C) + 2 * C);
}

void read_numbers(const InputFile& file, std::uint64_t offset, bool bf16, std::span<float> out) {
  if (!bf16) return file.read_at(offset, std::as_writable_bytes(out));
  std::array<std::uint16_t, 4096> piece;
  for (std::size_t i = 0; i < out.size(); i += piece.size()) {
    const auto words = std::span(piece).first(std::min(piece.size(), out.size() - i));
    file.read_at(offset + 2 * i, std::as_writable_bytes(words));
    std::ranges::transform(words, out.begin() + static_cast<std::ptrdiff_t>(i), bf16_to_float);
  }
}

/// The setting that llm.c's GPT-2 does not have; empty where it fits.
std::string misfit(const GptConfig& config) {
  if (config.norm != "layernorm") return "norm = " + config.norm;
  if (config.mlp != "gelu") return "mlp = " + config.mlp;
  if (config.has_rope()) return "pos_encoding = rope";
  if (config.attention_width() != config.n_embd) return "head_dim = " + std::to_string(config.head_dim);
  if (config.kv_heads() != config.n_head) return "n_kv_head = " + std::to_string(config.kv_heads());
  if (config.inner_width() != 4 * config.n_embd) return "n_inner = " + std::to_string(config.inner_width());
  if (config.has_window()) return "attention_window";
  if (config.qk_norm) return "qk_norm";
  if (config.branch_norms) return "branch_norms";
  if (config.embedding_scale != 1) return "embedding_scale";
  if (config.parallel_blocks) return "parallel_blocks";
  if (!config.bias) return "bias = false";
  if (!config.tie_weights) return "tie_weights = false";
  if (config.logit_softcap != 0) return "logit_softcap";
  if (config.layer_norm_eps != GptConfig{}.layer_norm_eps) {
    return vkgpt::format("layer_norm_eps = {}", config.layer_norm_eps);
  }
  return "";
}

}  // namespace

LoadedModel read_llmc_model(const Path& path) {
  const InputFile file(path);
  const std::string where = path.string();
  const Header header = read_header(file);
  const GptConfig config = config_of(header, where);
  const bool bf16 = header[kVersionAt] == kVersionBF16;
  const std::uint64_t number_size = bf16 ? 2 : 4;
  const std::uint64_t size = expected_size(config, header[kVp], number_size);
  if (file.size() != size) {
    fail("{}: {} bytes, but a model of the sizes in its header has {}; it is truncated or damaged", where,
         file.size(), size);
  }
  LoadedModel model{GptParams(config), {}, {.config = config, .model_type = "gpt2"}};
  model.arena.resize(static_cast<std::size_t>(model.params.arena_elements()), 0.0f);
  std::uint64_t at = sizeof(Header);
  visit_in_file_order(model.params, [&](const ParamSpec& spec) {
    std::int64_t numbers = stored_numbers(spec);
    read_numbers(file, at, bf16,
                 std::span(model.arena)
                     .subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(numbers)));
    if (spec.name == "wte.weight") numbers += file_vocabulary_padding(config, header[kVp]);
    at += number_size * static_cast<std::uint64_t>(numbers);
  });
  VKGPT_CHECK(at == size, "{} of {} bytes", at, size);
  return model;
}

void write_llmc_model(OutputFile& file, const LoadedModel& model, TensorEncoding encoding) {
  const GptConfig& config = model.params.config();
  if (const std::string setting = misfit(config); !setting.empty()) {
    fail(
        "llm.c's format holds GPT-2 with a tied head only, and this model has {}; export it with --format hf",
        setting);
  }
  VKGPT_CHECK(encoding == TensorEncoding::kF32 || encoding == TensorEncoding::kBF16);
  const std::int64_t padded = (config.vocab_size + kVocabularyStep - 1) / kVocabularyStep * kVocabularyStep;
  Header header{};
  header[kMagicAt] = kMagic;
  header[kVersionAt] = encoding == TensorEncoding::kF32 ? kVersionF32 : kVersionBF16;
  header[kMaxT] = static_cast<std::int32_t>(config.block_size);
  header[kV] = static_cast<std::int32_t>(config.vocab_size);
  header[kL] = static_cast<std::int32_t>(config.n_layer);
  header[kNH] = static_cast<std::int32_t>(config.n_head);
  header[kC] = static_cast<std::int32_t>(config.n_embd);
  header[kVp] = static_cast<std::int32_t>(padded);
  file.write(std::as_bytes(std::span(header)));
  const ByteSink sink = [&](std::span<const std::byte> bytes) { file.write(bytes); };
  const std::vector<float> padding(static_cast<std::size_t>(file_vocabulary_padding(config, padded)));
  visit_in_file_order(model.params, [&](const ParamSpec& spec) {
    const auto values =
        std::span(model.arena)
            .subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(stored_numbers(spec)));
    encode_tensor(spec.name, values, encoding, sink);
    if (spec.name == "wte.weight") encode_tensor(spec.name, padding, encoding, sink);
  });
}

}  // namespace vkgpt::model
