#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/ops/weight.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "model/stacked_adapters.hpp"

namespace vkgpt::model {

struct NormTensors {
  std::optional<plan::Tensor> weight = {};  // (C)
  std::optional<plan::Tensor> bias = {};    // (C)
};

/// Weight and bias of a linear layer, its LoRA adapter in training, and the adapters that decoding chooses
/// from.
struct LinearTensors {
  std::optional<ops::Weight> weight = {};  // (out, in)
  std::optional<plan::Tensor> bias = {};   // (out)
  std::optional<ops::Weight> lora_a = {};  // (r, in)
  std::optional<ops::Weight> lora_b = {};  // (out, r)
  std::optional<StackedTensors> stacked = {};

  bool has_adapters() const { return lora_a || stacked; }
};

/// One block's parameters, or their gradients. What the model lacks, or what is frozen, is absent.
struct BlockTensors {
  NormTensors ln_1;
  LinearTensors c_attn;                     // C -> (NH + 2 NKV) HS
  std::optional<plan::Tensor> q_norm = {};  // (HS)
  std::optional<plan::Tensor> k_norm = {};  // (HS)
  LinearTensors attn_c_proj;
  NormTensors attn_ln_out;  // of what the attention gives, and of what the MLP does
  NormTensors ln_2;
  LinearTensors c_fc;  // C -> F, or with a gate 2 F
  LinearTensors mlp_c_proj;
  NormTensors mlp_ln_out;
};

/// Finds a model's parameters, or their gradients, in the arenas of a plan.
class ParamTensors {
 public:
  /// `values` holds f32 parameters (arena), or gradients (its trainable part). `matrices`, where matrix
  /// products read another type, is a copy of the whole arena in that type; `trained` replaces the trainable
  /// part (an average of the weights, say). Without `values` each f32 parameter that is asked for is a
  /// persistent tensor of its own, `f32_param_tensor`. With `blocks` matrices of which `block_type_of` says
  /// so are persistent tensors in blocks.
  struct Arenas {
    std::optional<plan::Tensor> values = {};
    std::optional<plan::Tensor> matrices = {};
    std::optional<plan::Tensor> trained = {};
    std::optional<BlockType> blocks = {};
    std::span<const Adapter> adapters = {};  // to choose from; they outlive this
    DType adapter_dtype = DType::kF32;
  };
  ParamTensors(plan::PlanBuilder& builder, const GptParams& params, Arenas arenas)
      : builder_(builder), params_(params), arenas_(std::move(arenas)) {}

  /// In f32; nothing where the model lacks it or the arena does not hold it.
  std::optional<plan::Tensor> find(const std::string& name) const;
  /// As operand of a matrix product.
  std::optional<ops::Weight> find_matrix(const std::string& name) const;

  NormTensors norm(const std::string& name) const;
  LinearTensors linear(const std::string& name) const;
  BlockTensors block(std::int64_t layer) const;
  /// The token table (Vp, C), in f32 or in blocks.
  std::optional<ops::Weight> table() const;
  /// The classifier's weight (Vp, C): its own or the embedding's.
  std::optional<ops::Weight> head() const;

 private:
  std::optional<StackedTensors> stacked(const std::string& name) const;

  plan::PlanBuilder& builder_;
  const GptParams& params_;
  Arenas arenas_;
};

}  // namespace vkgpt::model
