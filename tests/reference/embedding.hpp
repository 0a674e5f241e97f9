#pragma once

#include <cstdint>

#include "reference/matmul.hpp"

namespace vkgpt::reference {

using TokenView = std::span<const std::int32_t>;

/// out[b,t,:] = wte[tokens[b,t]] + wpe[t]; tokens (B, T), wte (rows, C), wpe (at least T, C) -> (B, T, C).
Vector embedding_forward(TokenView tokens, View wte, View wpe, std::size_t B, std::size_t T, std::size_t C);

struct EmbeddingGradients {
  Vector dwte;  // (wte_rows, C)
  Vector dwpe;  // (wpe_rows, C), zero from row T on
};
/// dout (B, T, C), tokens (B, T).
EmbeddingGradients embedding_backward(View dout, TokenView tokens, std::size_t B, std::size_t T,
                                      std::size_t C, std::size_t wte_rows, std::size_t wpe_rows);

}  // namespace vkgpt::reference
