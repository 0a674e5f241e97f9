#pragma once

#include "model/update_plan.hpp"

namespace vkgpt::model {

/// Appends the segments of a step that several ranks take together. Every rank packs its gradients for the
/// host (kPack), folds what all ranks sent of its shard in a fixed order (kFold), and gives partial sums of
/// the norm (kNorm). Rank 0 decides on clipping and skipping (kDecide), each updates the weights of its shard
/// (kShardUpdate) and takes over those of the others (kSpread).
void write_exchange(plan::PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                    const UpdateTensors& tensors);

}  // namespace vkgpt::model
