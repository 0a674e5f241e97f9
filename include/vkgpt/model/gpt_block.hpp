#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::model {

struct NormTensors {
  plan::Tensor weight;  // (C)
  plan::Tensor bias;    // (C)
};

struct LinearTensors {
  plan::Tensor weight;  // (out, in)
  plan::Tensor bias;    // (out)
};

/// One block's part of an arena: its parameters, or their gradients.
struct BlockTensors {
  NormTensors ln_1;
  LinearTensors c_attn;  // C -> 3C
  LinearTensors attn_c_proj;
  NormTensors ln_2;
  LinearTensors c_fc;  // C -> 4C
  LinearTensors mlp_c_proj;
};

BlockTensors block_tensors(plan::PlanBuilder& builder, const GptParams& params, const plan::Tensor& arena,
                           std::int64_t layer);
NormTensors norm_tensors(plan::PlanBuilder& builder, const GptParams& params, const plan::Tensor& arena,
                         const std::string& name);

/// The residual stream between blocks: `x`, to which `branch` is still to be added (the next norm does it).
struct Stream {
  plan::Tensor x;                      // (..., C)
  std::optional<plan::Tensor> branch;  // (..., C)
};

/// A norm of the stream with what its backward needs.
struct NormActivations {
  plan::Tensor x;     // (..., C) what was normalized: the stream with its branch added
  plan::Tensor y;     // (..., C)
  plan::Tensor mean;  // (rows)
  plan::Tensor rstd;  // (rows)
};

NormActivations stream_norm(plan::PlanBuilder& builder, const NormTensors& params, const Stream& stream,
                            float eps);
/// The gradient that dy sends through the norm goes to dstream, or is added to it; dparams +=.
void stream_norm_backward(plan::PlanBuilder& builder, const NormTensors& params, const NormTensors& dparams,
                          const NormActivations& saved, const plan::Tensor& dy, const plan::Tensor& dstream,
                          bool accumulate);

/// What the forward of a block leaves for its backward.
struct BlockActivations {
  NormActivations ln_1;
  plan::Tensor qkv;   // (..., 3C)
  plan::Tensor attn;  // (..., C)
  NormActivations ln_2;
  plan::Tensor fc;    // (..., 4C) before GELU
  plan::Tensor gelu;  // (..., 4C)
  Stream out;
};

/// qkv (..., 3C) to the attention's output (..., C): over a batch, or over a cache.
using Attend = std::function<plan::Tensor(plan::PlanBuilder&, const plan::Tensor& qkv)>;

/// GPT-2's pre-norm block: x += proj(attend(qkv(LN(x)))); x += proj(GELU(fc(LN(x)))).
BlockActivations block_forward(plan::PlanBuilder& builder, const BlockTensors& params, const Stream& in,
                               const Attend& attend, float eps);

/// dattn (..., C) to dqkv (..., 3C).
using AttendBackward = std::function<plan::Tensor(plan::PlanBuilder&, const plan::Tensor& dattn)>;

/// `dstream` (..., C) holds the gradient of the stream after the block and then that before it; dparams +=.
void block_backward(plan::PlanBuilder& builder, const BlockTensors& params, const BlockTensors& dparams,
                    const BlockActivations& saved, const AttendBackward& attend_backward,
                    const plan::Tensor& dstream);

}  // namespace vkgpt::model
