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
  std::int64_t head_dim = 0;      ///< HS; 0 = C / NH
  std::int64_t n_inner = 0;       ///< F, width inside the MLP; 0 = 4 C, or for SwiGLU 8 C / 3 up to 64
  std::int64_t block_size = 128;  ///< T, the context length
  std::string norm = "layernorm";
  std::string mlp = "gelu";
  std::string pos_encoding = "learned";
  double rope_theta = 10000;
  std::string rope_scaling = "none";
  double rope_factor = 8;                  ///< of long wavelengths
  double rope_low_freq_factor = 1;         ///< llama3: turns in the original context below which all is
                                           ///< stretched
  double rope_high_freq_factor = 4;        ///< and from which nothing is
  double rope_beta_slow = 1;               ///< yarn: the same turns, which bound a ramp over the pairs
  double rope_beta_fast = 32;              ///< and from which nothing is stretched
  bool rope_truncate = true;               ///< yarn: the ramp begins and ends at whole pairs
  double rope_attention_factor = 0;        ///< yarn: what turns also multiply by; 0 = 0.1 ln(factor) + 1
  std::int64_t rope_original_context = 0;  ///< the context before the stretching; 0 = block_size
  /// A letter a layer, repeated: r = rotary, l = rotary with `rope_local_theta`, n = no positions.
  std::string rope_layers;
  double rope_local_theta = 10000;    ///< base where rope_layers says l; nothing is stretched there
  std::int64_t attention_window = 0;  ///< keys that a query sees, itself included; 0 = all before it
  std::string window_layers;          ///< a letter a layer, repeated: w = has the window, f = sees all
  double attention_scalar = 0;        ///< scores are divided by its root; 0 = HS
  bool qk_norm = false;
  bool branch_norms = false;  ///< what attention and MLP give is normalized, too
  bool parallel_blocks = false;
  bool bias = true;
  bool tie_weights = true;
  double embedding_scale = 1;  ///< of the token embedding where it enters the blocks
  double logit_softcap = 0;    ///< logits become cap * tanh(logits / cap); 0 = none
  double layer_norm_eps = 1e-5;

  /// HS, with its default resolved.
  std::int64_t head_size() const { return head_dim == 0 ? n_embd / n_head : head_dim; }
  /// NH HS: the width of what attention gives, C by default.
  std::int64_t attention_width() const { return n_head * head_size(); }
  /// NKV, with its default resolved.
  std::int64_t kv_heads() const { return n_kv_head == 0 ? n_head : n_kv_head; }
  /// Width of q | k | v: (NH + 2 NKV) HS.
  std::int64_t qkv_width() const { return (n_head + 2 * kv_heads()) * head_size(); }
  /// The context before the stretching of rotary wavelengths, with its default resolved.
  std::int64_t original_context() const {
    return rope_original_context == 0 ? block_size : rope_original_context;
  }
  /// F, with its default resolved.
  std::int64_t inner_width() const;
  /// The base of the rotary wavelengths: `rope_theta`, or what "dynamic" makes of it for `block_size`.
  double rope_base() const;
  /// What the rotation of "yarn" multiplies queries and keys by, with its default resolved; else 1.
  double rope_magnitude() const;
  /// (HS / attention_scalar)^(1/4): queries and keys times it have the scores that attention_scalar asks for.
  double head_magnitude() const;
  /// Whether a layer's queries and keys are rotated.
  bool layer_has_rope(std::int64_t layer) const {
    return has_rope() && letter(rope_layers, layer, 'r') != 'n';
  }
  /// Whether they are rotated with `rope_local_theta`.
  bool layer_rope_is_local(std::int64_t layer) const {
    return has_rope() && letter(rope_layers, layer, 'r') == 'l';
  }
  /// Whether any layer sees less than the context: a window that is no shorter changes nothing in it.
  bool has_window() const { return attention_window > 0 && attention_window < block_size; }
  /// Whether a layer has `attention_window`, be it shorter than the context or not.
  bool layer_has_window(std::int64_t layer) const {
    return attention_window > 0 && letter(window_layers, layer, 'w') == 'w';
  }
  /// Keys that a layer's queries see; 0 = all of the context.
  std::int64_t layer_window(std::int64_t layer) const {
    return has_window() && layer_has_window(layer) ? attention_window : 0;
  }
  bool has_rms_norm() const { return norm != "layernorm"; }
  /// Whether norms multiply by 1 + weight.
  bool norm_counts_from_one() const { return norm == "rmsnorm1p"; }
  /// Whether c_fc has 2 F rows, of which the first F gate the others.
  bool has_gate() const { return mlp == "swiglu" || mlp == "geglu"; }
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
                    .help = "Tokens in the vocabulary; 0: as many as the tokenizer has",
                    .min = 0,
                    .max = 1 << 24},
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
                    .help = "Width; n_embd / n_head is the head size, 16 to 256 in steps of 4",
                    .min = 16,
                    .max = 1 << 17},
          self.n_embd);
    visit(FieldInfo{.name = "head_dim",
                    .group = kGroup,
                    .help = "Head size where it is not n_embd / n_head; 0: it is",
                    .min = 0,
                    .max = 256},
          self.head_dim);
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
    visit_scales(visit, self);
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
  static char letter(const std::string& pattern, std::int64_t layer, char otherwise) {
    return pattern.empty() ? otherwise : pattern[static_cast<std::size_t>(layer) % pattern.size()];
  }

  template <typename Visitor, typename Self>
  static void visit_variants(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Model";
    visit(FieldInfo{.name = "norm",
                    .group = kGroup,
                    .help = "Normalization before every branch; rmsnorm1p counts its weight from 1",
                    .choices = "layernorm|rmsnorm|rmsnorm1p"},
          self.norm);
    visit(FieldInfo{.name = "mlp",
                    .group = kGroup,
                    .help = "MLP: GELU (tanh form, or exact), gated SiLU, gated GELU, squared ReLU",
                    .choices = "gelu|gelu_erf|swiglu|geglu|relu2"},
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
    visit_rope_scaling(visit, self);
    visit(FieldInfo{.name = "attention_window",
                    .group = kGroup,
                    .help = "Tokens that attention looks back on, the current one included; 0: all",
                    .min = 0,
                    .max = 1 << 20},
          self.attention_window);
    visit(FieldInfo{.name = "window_layers",
                    .group = kGroup,
                    .help = "Layers that have attention_window, as letters that repeat: wwf = two have it, "
                            "the third sees all; empty: all have it"},
          self.window_layers);
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

  template <typename Visitor, typename Self>
  static void visit_scales(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Model";
    visit(FieldInfo{.name = "branch_norms",
                    .group = kGroup,
                    .help = "Normalize what attention and MLP give before it is added, as in Gemma"},
          self.branch_norms);
    visit(FieldInfo{.name = "attention_scalar",
                    .group = kGroup,
                    .help = "Divide attention scores by its root; 0: by that of the head size",
                    .min = 0,
                    .max = 1e6},
          self.attention_scalar);
    visit(FieldInfo{.name = "embedding_scale",
                    .group = kGroup,
                    .help = "Times the token embedding before the first block (Gemma: the root of n_embd)",
                    .min = 0,
                    .max = 1e4,
                    .min_open = true},
          self.embedding_scale);
  }

  template <typename Visitor, typename Self>
  static void visit_rope_scaling(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Model";
    visit(
        FieldInfo{.name = "rope_scaling",
                  .group = kGroup,
                  .help = "Stretch rotary wavelengths: all, by the context's length, Llama 3.1's way, YaRN's",
                  .choices = "none|linear|dynamic|llama3|yarn"},
        self.rope_scaling);
    visit(FieldInfo{.name = "rope_factor",
                    .group = kGroup,
                    .help = "By how much rope_scaling stretches",
                    .min = 1,
                    .max = 1e6},
          self.rope_factor);
    visit(FieldInfo{.name = "rope_low_freq_factor",
                    .group = kGroup,
                    .help = "llama3 stretches fully what turns less often than this in rope_original_context",
                    .min = 0,
                    .max = 1e6,
                    .min_open = true},
          self.rope_low_freq_factor);
    visit(FieldInfo{.name = "rope_high_freq_factor",
                    .group = kGroup,
                    .help = "llama3 leaves what turns more often",
                    .min = 0,
                    .max = 1e6,
                    .min_open = true},
          self.rope_high_freq_factor);
    visit_yarn(visit, self);
    visit(FieldInfo{.name = "rope_original_context",
                    .group = kGroup,
                    .help = "Context before the stretching; 0: block_size",
                    .min = 0,
                    .max = 1 << 24},
          self.rope_original_context);
    visit(FieldInfo{.name = "rope_layers",
                    .group = kGroup,
                    .help = "Rotary positions of layers, as letters that repeat: r has them, l has those of "
                            "rope_local_theta, n has none; empty: all have them"},
          self.rope_layers);
    visit(FieldInfo{.name = "rope_local_theta",
                    .group = kGroup,
                    .help = "Base of the rotary wavelengths in the layers that rope_layers calls l",
                    .min = 1,
                    .max = 1e9},
          self.rope_local_theta);
  }

  template <typename Visitor, typename Self>
  static void visit_yarn(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Model";
    visit(FieldInfo{.name = "rope_beta_slow",
                    .group = kGroup,
                    .help = "yarn stretches fully what turns less often than this in rope_original_context",
                    .min = 0,
                    .max = 1e6,
                    .min_open = true},
          self.rope_beta_slow);
    visit(FieldInfo{.name = "rope_beta_fast",
                    .group = kGroup,
                    .help = "yarn leaves what turns more often",
                    .min = 0,
                    .max = 1e6,
                    .min_open = true},
          self.rope_beta_fast);
    visit(FieldInfo{.name = "rope_truncate",
                    .group = kGroup,
                    .help = "yarn's stretching begins and ends at whole pairs"},
          self.rope_truncate);
    visit(FieldInfo{.name = "rope_attention_factor",
                    .group = kGroup,
                    .help = "yarn multiplies queries and keys by this; 0: 0.1 ln(rope_factor) + 1",
                    .min = 0,
                    .max = 1e3},
          self.rope_attention_factor);
  }
};

}  // namespace vkgpt::model
