#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/ops/norm.hpp"

/// Double-precision definitions of vkgpt's ops: plain loops, row-major, read as the meaning of each kernel.
/// Each stands in src/check/<op>.cpp beside the cases that hold the op to it.
namespace vkgpt::check {

// Matrix products.

/// C = A B; a (M, K), b (K, N) -> (M, N).
Vector matmul_nn(View a, View b, std::size_t M, std::size_t N, std::size_t K);
/// C = A B^T; a (M, K), b (N, K) -> (M, N).
Vector matmul_nt(View a, View b, std::size_t M, std::size_t N, std::size_t K);
/// C = A^T B; a (K, M), b (K, N) -> (M, N).
Vector matmul_tn(View a, View b, std::size_t M, std::size_t N, std::size_t K);

/// y = x W^T + bias; x (M, K), weight (N, K), bias (N) or empty -> (M, N).
Vector linear_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K);

struct LinearGradients {
  Vector dx;       // (M, K)
  Vector dweight;  // (N, K)
  Vector dbias;    // (N)
};
/// dout (M, N), x (M, K), weight (N, K).
LinearGradients linear_backward(View dout, View x, View weight, std::size_t M, std::size_t N, std::size_t K);

struct LinearGelu {
  Vector pre;  // (M, N), x W^T + bias
  Vector out;  // (M, N), gelu(pre)
};
/// The matmul with the bias+GELU epilogue. Its backward is `gelu_backward(dout, pre)`, then
/// `linear_backward`.
LinearGelu linear_gelu_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K);

// Activations.

/// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the tanh form of Hendrycks & Gimpel, arXiv:1606.08415.
Vector gelu_forward(View x);
/// dx of `gelu_forward`; dout and x have the same shape.
Vector gelu_backward(View dout, View x);

/// x Phi(x) = 0.5 x (1 + erf(x / sqrt(2))): arXiv:1606.08415.
Vector gelu_erf_forward(View x);
Vector gelu_erf_backward(View dout, View x);

/// max(x, 0)^2: So et al., arXiv:2109.08668.
Vector relu_squared_forward(View x);
Vector relu_squared_backward(View dout, View x);

/// y = silu(gate) * up (Shazeer, arXiv:2002.05202), silu(g) = g / (1 + exp(-g)); x (rows, 2F) = [gate | up]
/// -> (rows, F).
Vector swiglu_forward(View x, std::size_t rows, std::size_t F);
/// dx (rows, 2F); dout (rows, F), x (rows, 2F).
Vector swiglu_backward(View dout, View x, std::size_t rows, std::size_t F);

/// The same with GELU for silu.
Vector geglu_forward(View x, std::size_t rows, std::size_t F);
Vector geglu_backward(View dout, View x, std::size_t rows, std::size_t F);

// Norms.

inline constexpr double kNormEps = 1e-5;

struct Norm {
  Vector y;     // (rows, C)
  Vector mean;  // (rows), 0 of an RMSNorm
  Vector rstd;  // (rows), 1 / sqrt(mean of (x - mean)^2 + eps)
};
/// y = (x - mean) * rstd * weight + bias over the last dimension: LayerNorm (arXiv:1607.06450), or RMSNorm
/// (arXiv:1910.07467) with 0 for the mean, in kRmsNorm1p times 1 + weight; x (rows, C), weight (C), bias (C)
/// or empty.
Norm norm_forward(ops::NormKind kind, View x, View weight, View bias, double eps = kNormEps);

struct NormGradients {
  Vector dx;       // (rows, C)
  Vector dweight;  // (C)
  Vector dbias;    // (C)
};
/// dout and x (rows, C), weight (C).
NormGradients norm_backward(ops::NormKind kind, View dout, View x, View weight, const Norm& forward);

// Attention.

/// Sizes of an attention; NH divides C, the head size HS is C / NH. With NKV = 0 every query head has a key
/// and value head of its own; otherwise query head h uses key and value head h / (NH / NKV). With window = 0
/// a query sees every key up to itself; otherwise the last `window` of them.
struct AttentionShape {
  std::size_t B = 0;
  std::size_t T = 0;
  std::size_t C = 0;
  std::size_t NH = 0;
  std::size_t NKV = 0;
  std::size_t window = 0;
  /// (B, T), of each token in its document, from 0, where documents share a sequence; a query then sees keys
  /// of its own document only, and rotary angles are those of the position. Empty: none do.
  std::span<const std::int32_t> positions = {};

  std::size_t HS() const { return C / NH; }
  std::size_t kv_heads() const { return NKV == 0 ? NH : NKV; }
  std::size_t kv_head(std::size_t head) const { return head / (NH / kv_heads()); }
  /// Elements of a row of qkv: q heads | k heads | v heads.
  std::size_t qkv_width() const { return (NH + 2 * kv_heads()) * HS(); }
  /// The position of token t of sequence b.
  std::size_t position(std::size_t b, std::size_t t) const {
    return positions.empty() ? t : static_cast<std::size_t>(positions[b * T + t]);
  }
  /// The first key that query t of sequence b sees.
  std::size_t first_key(std::size_t b, std::size_t t) const {
    const std::size_t seen = position(b, t);
    return t - (window == 0 ? seen : std::min(seen, window - 1));
  }
};

/// What dropout multiplies the probability of `key` in row (b NH + head) T + t by: 0 or 1 / (1 - p).
using ProbabilityMask = std::function<double(std::size_t row, std::size_t key)>;

struct Attention {
  Vector out;  // (B, T, C)
  Vector lse;  // (B, NH, T), log of the sum over keys of exp(scaled score)
};
/// Causal (mask * softmax(q k^T / sqrt(HS))) v (arXiv:1706.03762, grouped queries arXiv:2305.13245); qkv
/// (B, T, (NH + 2 NKV) HS), the heads of q | k | v.
Attention attention_forward(View qkv, const AttentionShape& shape, const ProbabilityMask& mask = {});

/// dqkv as qkv (B, T, (NH + 2 NKV) HS); dout (B, T, C).
Vector attention_backward(View dout, View qkv, const AttentionShape& shape, const ProbabilityMask& mask = {});

struct QkNorm {
  Vector out;   // (B, T, (NH + 2 NKV) HS)
  Vector rstd;  // (B, T, NH + NKV), 1 / sqrt(mean over HS of the squares + eps)
};
/// RMSNorm (arXiv:1910.07467) over each q head, times q_weight (HS), and over each k head, times k_weight
/// (HS); v stays. qkv (B, T, (NH + 2 NKV) HS).
QkNorm qk_norm_forward(View qkv, View q_weight, View k_weight, const AttentionShape& shape, double eps);

struct QkNormGradients {
  Vector dqkv;       // (B, T, (NH + 2 NKV) HS)
  Vector dq_weight;  // (HS)
  Vector dk_weight;  // (HS)
};
QkNormGradients qk_norm_backward(View dout, View qkv, View q_weight, View k_weight,
                                 const AttentionShape& shape, double eps);

/// How fast the pairs turn; the rest is Llama 3.1's stretching of long wavelengths.
struct Rope {
  double theta = 10000;
  double factor = 1;  // 1 = none
  double low = 1;
  double high = 4;
  double original_context = 8192;
  enum class Rule { kLinear, kLlama3, kYarn } rule = Rule::kLlama3;
  double magnitude = 1;
};

/// Rotary position embedding (Su et al., arXiv:2104.09864) in LLaMA's layout: elements i and i + HS / 2 of
/// every q and k head are rotated by the angle t theta^(-2i / HS), or the stretched one; v stays. qkv (B, T,
/// (NH + 2 NKV) HS).
Vector rope_forward(View qkv, const AttentionShape& shape, const Rope& rope);

/// The gradient: the inverse rotation of dqkv.
Vector rope_backward(View dqkv, const AttentionShape& shape, const Rope& rope);

// Embedding, loss and dropout.

using TokenView = std::span<const std::int32_t>;

/// out[b,t,:] = wte[tokens[b,t]] + wpe[t]; tokens (B, T), wte (rows, C), wpe (at least T, C) -> (B, T, C).
/// With positions (B, T) they stand for t.
Vector embedding_forward(TokenView tokens, View wte, View wpe, std::size_t B, std::size_t T, std::size_t C,
                         TokenView positions = {});

struct EmbeddingGradients {
  Vector dwte;  // (wte_rows, C)
  Vector dwpe;  // (wpe_rows, C), zero from row T on
};
/// dout (B, T, C), tokens (B, T).
EmbeddingGradients embedding_backward(View dout, TokenView tokens, std::size_t B, std::size_t T,
                                      std::size_t C, std::size_t wte_rows, std::size_t wpe_rows,
                                      TokenView positions = {});

/// cap * tanh(x / cap) (Gemma 2, arXiv:2408.00118); x itself where cap is 0.
Vector softcap_forward(View x, double cap);
/// dx; dout and x have the same shape.
Vector softcap_backward(View dout, View x, double cap);

/// What a training loss adds to the plain cross-entropy.
struct LossShaping {
  double softcap = 0.0;          // logits become cap * tanh(logits / cap) first; 0 = none
  double label_smoothing = 0.0;  // torch's: (1 - s) * loss + s * mean over v of -log softmax(logits)[v]
  double z_loss = 0.0;           // adds z_loss * lse^2 (PaLM, arXiv:2204.02311)
};

struct CrossEntropy {
  Vector losses;            // (N), nats; 0 for ignored rows
  std::size_t counted = 0;  // rows whose target is not negative
  double mean_loss = 0.0;   // over the counted rows, 0 if there are none
};
/// -log softmax(logits[0..V))[target] by row, shaped by `shaping`; logits (N, Vp), columns V.. are padding
/// and take no part. Rows with a negative target are ignored.
CrossEntropy cross_entropy_forward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                                   const LossShaping& shaping = {});

/// dlogits (N, Vp): grad_scale times the gradient of every row's loss, without shaping softmax - onehot; 0 in
/// padded columns and ignored rows. The gradient of the mean loss has grad_scale = 1 / counted.
Vector cross_entropy_backward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                              double grad_scale, const LossShaping& shaping = {});

/// What names the masks of a place in the model (see ops/dropout.hpp).
struct DropoutStream {
  std::uint64_t seed = 0;
  std::uint32_t site = 0;
  std::uint32_t step = 0;
};

/// mask * x / (1 - p) (Srivastava et al. 2014): element i is kept when word i % 4 of block i / 4 of the
/// stream, as a uniform number, is at least p.
Vector dropout_forward(View x, double p, const DropoutStream& stream);

/// The masks of attention's probabilities: `key` of row is kept by word key % 4 of block key / 4 of the
/// row's own stream.
ProbabilityMask probability_mask(double p, const DropoutStream& stream);

}  // namespace vkgpt::check
