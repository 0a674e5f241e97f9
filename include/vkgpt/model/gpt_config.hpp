#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::model {

/// The architecture: everything that decides the shapes of the parameters and what the forward pass computes.
/// Saved with every checkpoint.
struct GptConfig {
  std::int64_t vocab_size = 0;    ///< V, tokens that the tokenizer knows; 0 until it is known
  std::int64_t n_layer = 4;       ///< L
  std::int64_t n_head = 4;        ///< NH
  std::int64_t n_kv_head = 0;     ///< NKV, heads of keys and values; 0 = n_head
  std::int64_t n_embd = 128;      ///< C
  std::int64_t n_inner = 0;       ///< F, width inside the MLP; 0 = 4 C, or for SwiGLU 8 C / 3 up to 64
  std::int64_t block_size = 128;  ///< T, the context length
  std::string norm = "layernorm";
  std::string mlp = "gelu";
  std::string pos_encoding = "learned";
  double rope_theta = 10000;
  std::int64_t attention_window = 0;  ///< keys that a query sees, itself included; 0 = all before it
  bool qk_norm = false;
  bool parallel_blocks = false;
  bool bias = true;
  bool tie_weights = true;
  double logit_softcap = 0;  ///< logits become cap * tanh(logits / cap); 0 = none
  double layer_norm_eps = 1e-5;

  /// HS = C / NH.
  std::int64_t head_size() const { return n_embd / n_head; }
  /// NKV, with its default resolved.
  std::int64_t kv_heads() const { return n_kv_head == 0 ? n_head : n_kv_head; }
  /// Width of q | k | v: (NH + 2 NKV) HS.
  std::int64_t qkv_width() const { return (n_head + 2 * kv_heads()) * head_size(); }
  /// F, with its default resolved.
  std::int64_t inner_width() const;
  bool has_rms_norm() const { return norm == "rmsnorm"; }
  bool has_swiglu() const { return mlp == "swiglu"; }
  bool has_rope() const { return pos_encoding == "rope"; }
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
    visit(FieldInfo{.name = "n_kv_head",
                    .group = kGroup,
                    .help = "Heads of keys and values; 0: n_head, 1: multi-query",
                    .min = 0,
                    .max = 1024},
          self.n_kv_head);
    visit(FieldInfo{.name = "n_embd",
                    .group = kGroup,
                    .help = "Width; n_embd / n_head is the head size, 16 to 128 in steps of 4",
                    .min = 16,
                    .max = 1 << 17},
          self.n_embd);
    visit(FieldInfo{.name = "n_inner",
                    .group = kGroup,
                    .help = "Width inside the MLP; 0: 4 n_embd, with SwiGLU 8/3 n_embd",
                    .min = 0,
                    .max = 1 << 19},
          self.n_inner);
    visit(FieldInfo{.name = "block_size",
                    .group = kGroup,
                    .help = "Context length in tokens",
                    .min = 1,
                    .max = 1 << 20},
          self.block_size);
    visit_variants(visit, self);
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

 private:
  template <typename Visitor, typename Self>
  static void visit_variants(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Model";
    visit(FieldInfo{.name = "norm",
                    .group = kGroup,
                    .help = "Normalization before every branch",
                    .choices = "layernorm|rmsnorm"},
          self.norm);
    visit(FieldInfo{.name = "mlp",
                    .group = kGroup,
                    .help = "MLP: GELU (tanh form, or exact), gated SiLU, squared ReLU",
                    .choices = "gelu|gelu_erf|swiglu|relu2"},
          self.mlp);
    visit(FieldInfo{.name = "pos_encoding",
                    .group = kGroup,
                    .help = "Learned positions or rotary ones",
                    .choices = "learned|rope"},
          self.pos_encoding);
    visit(FieldInfo{.name = "rope_theta",
                    .group = kGroup,
                    .help = "Base of the rotary wavelengths",
                    .min = 1,
                    .max = 1e9},
          self.rope_theta);
    visit(FieldInfo{.name = "attention_window",
                    .group = kGroup,
                    .help = "Tokens that attention looks back on, the current one included; 0: all",
                    .min = 0,
                    .max = 1 << 20},
          self.attention_window);
    visit(
        FieldInfo{
            .name = "qk_norm", .group = kGroup, .help = "RMS-normalize the queries and keys of each head"},
        self.qk_norm);
    visit(FieldInfo{.name = "parallel_blocks",
                    .group = kGroup,
                    .help = "Attention and MLP side by side on one norm, as in GPT-J"},
          self.parallel_blocks);
    visit(FieldInfo{.name = "bias", .group = kGroup, .help = "Biases in linear layers and LayerNorms"},
          self.bias);
    visit(FieldInfo{.name = "logit_softcap",
                    .group = kGroup,
                    .help = "Bound logits smoothly to this size; 0: no bound",
                    .min = 0,
                    .max = 1e6},
          self.logit_softcap);
  }
};

}  // namespace vkgpt::model
