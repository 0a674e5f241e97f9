#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "vkgpt/model/adapter.hpp"
#include "vkgpt/plan/plan_builder.hpp"
#include "vkgpt/plan/tensor_store.hpp"

namespace vkgpt::model {

/// Several adapters of a matrix side by side: one product with all their A and one with all their B, whatever
/// adapter a row has. Those of q, k and v have columns of their own. R is the sum of the ranks, padded.
struct StackedTensors {
  plan::Tensor a;       // (R, in)
  plan::Tensor b;       // (out, R), scaled by alpha / r
  plan::Tensor owners;  // (R) i32: whose column it is; -2 in the padding
};

/// Those of matrix `param`, of shape (out, in), as persistent tensors of a plan; nothing where no adapter has
/// a part of it.
std::optional<StackedTensors> stacked_adapters(plan::PlanBuilder& builder, std::span<const Adapter> adapters,
                                               const std::string& param, const Shape& shape, DType dtype);

/// Fills them, for all matrices.
void upload_stacked(plan::TensorStore& store, std::span<const Adapter> adapters, const GptParams& params,
                    DType dtype);

}  // namespace vkgpt::model
