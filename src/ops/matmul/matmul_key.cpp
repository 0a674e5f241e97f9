#include "vkgpt/ops/matmul/matmul_key.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "vkgpt/core/format.hpp"

#include "ops/matmul/matmul_words.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::array<std::string_view, 3> kForms = {"nn", "nt", "tn"};

std::optional<DType> find_operand_type(std::string_view name) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (dtype_name(type) == name) return type;
  }
  return std::nullopt;
}

/// False where the word is no flag.
bool set_flag(MatmulKey& key, std::string_view word) {
  if (word == "bias") return key.bias = true;
  if (word == "accumulate") return key.accumulate = true;
  if (word == "row_sums") return key.row_sums = true;
  if (word == "gelu") key.epilogue = Epilogue::kGelu;
  if (word == "gelu_grad") key.epilogue = Epilogue::kGeluGrad;
  if (const auto blocks = find_block_type(word)) key.blocks = blocks;
  return word == "gelu" || word == "gelu_grad" || find_block_type(word).has_value();
}

}  // namespace

double MatmulKey::flops() const {
  return 2.0 * static_cast<double>(extents.m) * static_cast<double>(extents.n) *
         static_cast<double>(extents.k);
}

std::string to_string(const MatmulKey& key) {
  const auto& [m, n, k] = key.extents;
  std::string text = vkgpt::format("{} {} {}x{}x{}", kForms[static_cast<std::size_t>(key.transposition)],
                                   dtype_name(key.dtype), m, n, k);
  if (key.bias) text += " bias";
  if (key.epilogue == Epilogue::kGelu) text += " gelu";
  if (key.epilogue == Epilogue::kGeluGrad) text += " gelu_grad";
  if (key.accumulate) text += " accumulate";
  if (key.row_sums) text += " row_sums";
  if (key.blocks) text += vkgpt::format(" {}", block_format(*key.blocks).name);
  return text;
}

std::optional<MatmulKey> parse_matmul_key(std::string_view text) {
  const std::vector<std::string_view> words = split(text, ' ');
  if (words.size() < 3) return std::nullopt;
  const auto form = std::ranges::find(kForms, words[0]);
  const std::optional<DType> dtype = find_operand_type(words[1]);
  const auto sizes = parse_sizes(words[2], 3);
  if (form == kForms.end() || !dtype || !sizes) return std::nullopt;
  MatmulKey key{.transposition = static_cast<Transposition>(form - kForms.begin()),
                .dtype = *dtype,
                .extents = {(*sizes)[0], (*sizes)[1], (*sizes)[2]}};
  for (std::size_t i = 3; i < words.size(); ++i) {
    if (!set_flag(key, words[i])) return std::nullopt;
  }
  return key;
}

}  // namespace vkgpt::ops
