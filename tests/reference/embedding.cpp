#include "reference/embedding.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {

Vector embedding_forward(TokenView tokens, View wte, View wpe, std::size_t B, std::size_t T, std::size_t C) {
  VKGPT_CHECK(tokens.size() == B * T && wpe.size() >= T * C);
  Vector out(B * T * C);
  for (std::size_t b = 0; b < B; ++b) {
    for (std::size_t t = 0; t < T; ++t) {
      const auto token = static_cast<std::size_t>(tokens[b * T + t]);
      VKGPT_CHECK((token + 1) * C <= wte.size(), "token {}", token);
      for (std::size_t c = 0; c < C; ++c) out[(b * T + t) * C + c] = wte[token * C + c] + wpe[t * C + c];
    }
  }
  return out;
}

EmbeddingGradients embedding_backward(View dout, TokenView tokens, std::size_t B, std::size_t T,
                                      std::size_t C, std::size_t wte_rows, std::size_t wpe_rows) {
  VKGPT_CHECK(dout.size() == B * T * C && tokens.size() == B * T && wpe_rows >= T);
  EmbeddingGradients gradients{.dwte = Vector(wte_rows * C, 0.0), .dwpe = Vector(wpe_rows * C, 0.0)};
  for (std::size_t b = 0; b < B; ++b) {
    for (std::size_t t = 0; t < T; ++t) {
      const auto token = static_cast<std::size_t>(tokens[b * T + t]);
      VKGPT_CHECK(token < wte_rows, "token {}", token);
      for (std::size_t c = 0; c < C; ++c) {
        const double d = dout[(b * T + t) * C + c];
        gradients.dwte[token * C + c] += d;
        gradients.dwpe[t * C + c] += d;
      }
    }
  }
  return gradients;
}

}  // namespace vkgpt::reference
