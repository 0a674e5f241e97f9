#include "model/exchange_plan.hpp"

#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/exchange.hpp"
#include "vkgpt/ops/optimizer/ema.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"
#include "vkgpt/ops/optimizer/loss_scale.hpp"

namespace vkgpt::model {
namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

class ExchangeWriter {
 public:
  ExchangeWriter(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                 const UpdateTensors& tensors)
      : builder_(builder),
        params_(params),
        options_(options),
        tensors_(tensors),
        rank_(options.ranks.rank),
        layout_(exchange_layout(params, options.optimizer, options.ranks)),
        shard_(layout_.shards[static_cast<std::size_t>(rank_)]),
        wire_(options.ranks.bf16_wire ? ops::Wire::kBF16 : ops::Wire::kF32),
        out_(builder.readback(tensor::kWireOut, {layout_.outgoing_words(rank_)}, DType::kU32)),
        in_(builder.upload(tensor::kWireIn, {layout_.incoming_words(rank_)}, DType::kU32)),
        sum_(builder.persistent("grad_shard", {shard_.count}, Role::kGradients)),
        decision_(builder.upload(tensor::kDecision, {4}, DType::kU32)) {}

  void write() {
    write_pack();
    write_fold();
    write_norm();
    write_decide();
    write_update();
    write_spread();
    write_sums();
  }

 private:
  void write_pack() {
    builder_.begin_segment(segment::kPack);
    for (const ArenaRange& bucket : layout_.buckets) {
      ops::exchange_pack(builder_, builder_.view(tensors_.grads, bucket.first, {bucket.count}),
                         builder_.view(out_, layout_.words(bucket.first), {layout_.words(bucket.count)}),
                         wire_);
    }
    ops::exchange_pack(builder_, tensors_.loss, builder_.readback(tensor::kLossOut, {2}, DType::kU32));
  }

  void write_fold() {
    builder_.begin_segment(segment::kFold);
    const Tensor control = builder_.upload(tensor::kFoldControl, {2}, DType::kU32);
    for (const ExchangePiece& piece : layout_.pieces) {
      if (piece.owner != rank_) continue;
      const Tensor words =
          builder_.view(in_, piece.place, {layout_.size(), layout_.words(piece.range.count)});
      const Tensor sum = builder_.view(sum_, piece.range.first - shard_.first, {piece.range.count});
      ops::exchange_fold(builder_, words, control, sum, wire_);
    }
  }

  void write_norm() {
    builder_.begin_segment(segment::kNorm);
    const std::int64_t first = layout_.first_part[static_cast<std::size_t>(rank_)];
    const std::int64_t end = layout_.first_part[static_cast<std::size_t>(rank_) + 1];
    const Tensor partials = builder_.readback(tensor::kNormOut, {(end - first) * kNormBlocks, 2});
    for (std::int64_t part = first; part < end; ++part) {
      const ArenaRange range = layout_.parts[static_cast<std::size_t>(part)];
      ops::global_norm_partials(builder_, builder_.view(sum_, range.first - shard_.first, {range.count}),
                                builder_.view(partials, (part - first) * kNormBlocks * 2, {kNormBlocks, 2}));
    }
  }

  void write_decide() {
    builder_.begin_segment(segment::kDecide);
    const Tensor norm = ops::global_norm_state(builder_);
    const Tensor partials = builder_.upload(
        tensor::kNormIn, {static_cast<std::int64_t>(layout_.parts.size()) * kNormBlocks, 2}, DType::kF32);
    const Tensor loss = builder_.upload(tensor::kLossIn, {2}, DType::kU32);
    ops::global_norm_decide(builder_, partials, static_cast<float>(options_.grad_clip), norm, loss,
                            tensors_.loss_scale, step_positions(params_, options_));
    ops::loss_mean(builder_, loss, builder_.readback(tensor::kStepResults, {8}), norm, tensors_.loss_scale,
                   step_positions(params_, options_));
    ops::exchange_pack(builder_, norm, builder_.readback(tensor::kDecisionOut, {4}, DType::kU32));
  }

  void write_update() {
    builder_.begin_segment(segment::kShardUpdate);
    const Tensor weights = builder_.view(tensors_.params, shard_.first, {shard_.count});
    write_optimizer(builder_, params_, options_, shard_, weights, sum_, decision_);
    if (tensors_.loss_scale) ops::loss_scale_update(builder_, *tensors_.loss_scale, decision_);
    if (layout_.size() > 1) ops::exchange_pack(builder_, weights, builder_.view(out_, 0, {shard_.count}));
  }

  void write_spread() {
    builder_.begin_segment(segment::kSpread);
    const std::int64_t n = layout_.elements;
    const Tensor weights = builder_.view(tensors_.params, 0, {n});
    for (std::int64_t peer = 0; peer < layout_.size(); ++peer) {
      if (peer == rank_) continue;
      const ArenaRange theirs = layout_.shards[static_cast<std::size_t>(peer)];
      ops::exchange_pack(builder_, builder_.view(in_, theirs.first, {theirs.count}),
                         builder_.view(tensors_.params, theirs.first, {theirs.count}));
    }
    if (tensors_.ema) {
      ops::ema_update(
          builder_,
          {.ema = *tensors_.ema, .weights = weights, .norm = decision_, .decay = options_.ema_decay});
    }
    if (tensors_.matrices) ops::cast(builder_, weights, builder_.view(*tensors_.matrices, 0, {n}));
  }

  void write_sums() {
    builder_.begin_segment(segment::kGradsOut);
    ops::exchange_pack(builder_, sum_, builder_.view(out_, 0, {shard_.count}));
    builder_.begin_segment(segment::kGradsIn);
    ops::exchange_pack(builder_, builder_.view(in_, 0, {layout_.elements}), tensors_.grads);
  }

  PlanBuilder& builder_;
  const GptParams& params_;
  const TrainPlanOptions& options_;
  const UpdateTensors& tensors_;
  std::int64_t rank_;
  ExchangeLayout layout_;
  ArenaRange shard_;
  ops::Wire wire_;
  Tensor out_;       // kWireOut
  Tensor in_;        // kWireIn
  Tensor sum_;       // (shard) f32: the step's gradient
  Tensor decision_;  // (4): see global_norm_state
};

}  // namespace

void write_exchange(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                    const UpdateTensors& tensors) {
  ExchangeWriter(builder, params, options, tensors).write();
}

}  // namespace vkgpt::model
