#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/ops/attention/rope.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "model/linear.hpp"
#include "model/param_tensors.hpp"

namespace vkgpt::model {

/// The angles of `config`'s rotary positions, in layers that have no others.
ops::RopeAngles rope_angles(const GptConfig& config);
/// Those of a layer.
ops::RopeAngles rope_angles(const GptConfig& config, std::int64_t layer);

/// Everything besides its parameters that a block is computed with.
struct BlockOptions {
  const GptConfig& config;
  std::int64_t layer = 0;
  DType dtype = DType::kF32;       // D: of all activations, the residual stream's too
  double dropout = 0;              // of both branches
  std::uint32_t dropout_site = 0;  // the first of kBlockDropoutSites
  Lora lora = {};
  ops::ByRows by_rows = ops::ByRows::kNo;      // of the matrix products
  std::optional<plan::Tensor> put_aside = {};  // (..., C) D: gets what attention's norm reads, for later
};

/// Dropout sites of a block: attention probabilities, attention branch, MLP branch.
inline constexpr std::uint32_t kBlockDropoutSites = 3;

/// The residual stream between blocks: `x`, to which `branch` is still to be added (the next norm does it).
struct Stream {
  plan::Tensor x;                           // (..., C) D
  std::optional<plan::Tensor> branch = {};  // (..., C) D
};

/// A norm of the stream with what its backward needs.
struct NormActivations {
  plan::Tensor x;                         // (..., C) D, what was normalized: the stream with its branch added
  plan::Tensor y;                         // (..., C)
  std::optional<plan::Tensor> mean = {};  // (rows), of LayerNorm
  plan::Tensor rstd;                      // (rows)
};

NormActivations stream_norm(plan::PlanBuilder& builder, const NormTensors& params, const Stream& stream,
                            const BlockOptions& options);
/// The gradient that dy sends through the norm goes to dstream, or is added to it; dparams are summed.
void stream_norm_backward(plan::PlanBuilder& builder, const NormTensors& params, const NormTensors& dparams,
                          const NormActivations& saved, const plan::Tensor& dy, const plan::Tensor& dstream,
                          bool accumulate, const BlockOptions& options);

/// The results of attention.
struct Attended {
  plan::Tensor out;                      // (..., C)
  std::optional<plan::Tensor> lse = {};  // (B, NH, T), for the backward
};

/// Attention of qkv (..., (NH + 2 NKV) HS), whose positions are not yet encoded: over a batch, or over a
/// cache. It may rotate qkv in place.
using Attend = std::function<Attended(plan::PlanBuilder&, const plan::Tensor& qkv)>;
/// The gradient dout (..., C) to dqkv, given what `Attend` left in qkv and returned.
using AttendBackward = std::function<plan::Tensor(plan::PlanBuilder&, const plan::Tensor& dout,
                                                  const plan::Tensor& qkv, const Attended& attended)>;

/// The attention branch: proj(attend(qkv(norm))), normalized where the block has branch_norms.
struct AttentionBranch {
  NormActivations norm;
  LinearActivations c_attn = {};
  plan::Tensor qkv = {};                     // (..., (NH + 2 NKV) HS) as attended to
  std::optional<plan::Tensor> qk_rstd = {};  // (rows, NH + NKV)
  Attended attended = {};
  LinearActivations c_proj = {};
  std::optional<NormActivations> out_norm = {};
  plan::Tensor out = {};  // (..., C)
};

AttentionBranch attention_branch(plan::PlanBuilder& builder, const BlockTensors& params, const Stream& in,
                                 const Attend& attend, const BlockOptions& options);

/// The MLP branch: proj(act(fc(x))), normalized likewise.
struct MlpBranch {
  std::optional<NormActivations> norm = {};  // absent in a parallel block, which shares that of the attention
  LinearActivations c_fc;                    // (..., F) or (..., 2F)
  LinearActivations c_proj;                  // its x is (..., F)
  std::optional<NormActivations> out_norm = {};
  plan::Tensor out;  // (..., C)
};

/// Activations that the forward of a block leaves for its backward.
struct BlockActivations {
  AttentionBranch attention;
  MlpBranch mlp;
  Stream out;
};

/// A pre-norm block: x += attention(norm(x)); x += mlp(norm(x)). A parallel one: x += attention(norm(x)) +
/// mlp(norm(x)) with one norm (GPT-J; Wang and Komatsuzaki 2021).
BlockActivations block_forward(plan::PlanBuilder& builder, const BlockTensors& params, const Stream& in,
                               const Attend& attend, const BlockOptions& options);

/// `dstream` (..., C) D holds the gradient of the stream after the block and then that before it; dparams are
/// summed. Where `recompute_attention` is set, the attention branch is computed once more, so that nothing of
/// it but its input needs to be kept since the forward.
void block_backward(plan::PlanBuilder& builder, const BlockTensors& params, const BlockTensors& dparams,
                    const BlockActivations& saved, const AttendBackward& attend_backward,
                    const plan::Tensor& dstream, const BlockOptions& options,
                    const Attend* recompute_attention = nullptr);

/// The gradient of a branch from that of the stream: dropout drawn again.
plan::Tensor branch_gradient(plan::PlanBuilder& builder, const plan::Tensor& dstream, std::uint32_t site,
                             const BlockOptions& options);

}  // namespace vkgpt::model
