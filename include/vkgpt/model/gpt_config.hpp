#pragma once

#include <cstdint>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::model {

/// The architecture: everything that decides the shapes of the parameters and what the forward pass computes.
/// Saved with every checkpoint.
struct GptConfig {
  std::int64_t vocab_size = 0;    ///< V, tokens that the tokenizer knows; 0 until it is known
  std::int64_t n_layer = 4;       ///< L
  std::int64_t n_head = 4;        ///< NH
  std::int64_t n_embd = 128;      ///< C
  std::int64_t block_size = 128;  ///< T, the context length
  bool tie_weights = true;
  double layer_norm_eps = 1e-5;

  /// HS = C / NH.
  std::int64_t head_size() const { return n_embd / n_head; }
  /// Vp: the vocabulary rounded up to a multiple of 64. Rows from `vocab_size` on are zero and masked in the
  /// loss.
  std::int64_t padded_vocab_size() const { return (vocab_size + 63) / 64 * 64; }

  /// Refuses, as usage errors, sizes that contradict each other. `vocab_size` may still be 0.
  void validate() const;

  friend bool operator==(const GptConfig&, const GptConfig&) = default;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Model";
    visit(FieldInfo{.name = "vocab_size",
                    .group = kGroup,
                    .help = "Tokens in the vocabulary; 0 takes the tokenizer's",
                    .min = 0,
                    .max = 1 << 24,
                    .file_only = true},
          self.vocab_size);
    visit(FieldInfo{.name = "n_layer", .group = kGroup, .help = "Transformer blocks", .min = 1, .max = 1024},
          self.n_layer);
    visit(FieldInfo{.name = "n_head", .group = kGroup, .help = "Attention heads", .min = 1, .max = 1024},
          self.n_head);
    visit(FieldInfo{.name = "n_embd",
                    .group = kGroup,
                    .help = "Width; n_embd / n_head is the head size, 16 to 128 in steps of 4",
                    .min = 16,
                    .max = 1 << 17},
          self.n_embd);
    visit(FieldInfo{.name = "block_size",
                    .group = kGroup,
                    .help = "Context length in tokens",
                    .min = 1,
                    .max = 1 << 20},
          self.block_size);
    visit(
        FieldInfo{
            .name = "tie_weights", .group = kGroup, .help = "Share the token embedding with the output head"},
        self.tie_weights);
    visit(FieldInfo{.name = "layer_norm_eps",
                    .group = kGroup,
                    .help = "Added to the variance in LayerNorm",
                    .min = 0,
                    .max = 1,
                    .min_open = true},
          self.layer_norm_eps);
  }
};

}  // namespace vkgpt::model
