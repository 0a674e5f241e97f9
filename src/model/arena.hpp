#pragma once

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::model {

/// The flat tensor `name` of the first `elements` of the layout of `params`: parameters, gradients, optimizer
/// state. Where one buffer of the device cannot hold as many f32 it is cut between parameters, all arenas at
/// the same elements.
plan::Tensor arena(plan::PlanBuilder& builder, const GptParams& params, const char* name,
                   std::int64_t elements, plan::Role role, DType dtype = DType::kF32);

}  // namespace vkgpt::model
