#include "model/loss_plan.hpp"

#include <algorithm>

#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/ops/preference_loss.hpp"

namespace vkgpt::model {
namespace {

using plan::Tensor;

/// Bytes of logits that the classifier keeps at once: a 24th of the memory, so that few chunks read and write
/// the head's weight and its gradient; on CPU drivers what leaves caches to others.
std::int64_t logits_bytes(const vk::DeviceCaps& caps) {
  constexpr std::int64_t kLeast = 64LL << 20, kMost = 3LL << 30;
  if (caps.is_cpu()) return kLeast;
  const std::int64_t share = caps.heap_bytes == 0 ? kLeast : static_cast<std::int64_t>(caps.heap_bytes) / 24;
  return std::min(std::clamp(share, kLeast, kMost), ops::max_binding_bytes(caps));
}

}  // namespace

LossWriter::LossWriter(plan::PlanBuilder& builder, const GptConfig& config, const TrainPlanOptions& options,
                       const Preference& preference, const LossTensors& tensors)
    : builder_(builder),
      config_(config),
      options_(options),
      preference_(preference),
      tensors_(tensors),
      rows_(tensors.targets.shape.numel()) {
  if (preference.pairs == 0) return;
  pairs_ = builder.upload(tensor::kPairs, {preference.pairs, 4}, DType::kI32);
  reference_ = builder.upload(tensor::kPairReference, {preference.pairs, 2});
  sums_ = ops::preference_sums(builder, "preference_sums");
}

void LossWriter::begin() {
  ops::zero(builder_, tensors_.accumulator);
  if (sums_) ops::zero(builder_, *sums_);
}

void LossWriter::end(const char* results) {
  if (sums_) ops::cast(builder_, *sums_, builder_.readback(results, {4}));
}

template <typename Take>
void LossWriter::for_chunks(const ops::Weight& head, const Tensor& y, Take&& take) {
  const std::int64_t Vp = config_.padded_vocab_size();
  const DType dtype = options_.activation_dtype;
  // Chunks of whole multiples of 64 rows, which keep every bound offset aligned, and all of about one size.
  const std::int64_t most =
      std::max<std::int64_t>(64, logits_bytes(builder_.caps()) / (Vp * dtype_size(dtype)) / 64 * 64);
  const std::int64_t chunks = (rows_ + most - 1) / most;
  const std::int64_t chunk = ((rows_ + chunks - 1) / chunks + 63) / 64 * 64;
  for (std::int64_t first = 0; first < rows_; first += chunk) {
    const std::int64_t count = std::min(chunk, rows_ - first);
    const Tensor y_rows = builder_.view(y, first * config_.n_embd, {count, config_.n_embd});
    const Tensor logits = builder_.transient("logits", {count, Vp}, dtype);
    ops::linear_forward(builder_, {.x = y_rows, .weight = head, .y = logits});
    take(Chunk{first, y_rows, logits});
  }
}

void LossWriter::classify(const ops::Weight& head, const Tensor& y, const Tensor& losses) {
  for_chunks(head, y, [&](const Chunk& chunk) {
    ops::cross_entropy_forward(builder_, {.logits = chunk.logits,
                                          .targets = tensors_.targets,
                                          .losses = losses,
                                          .first_row = chunk.first,
                                          .V = config_.vocab_size,
                                          .softcap = config_.logit_softcap});
  });
}

Tensor LossWriter::train(const ops::Weight& head, const std::optional<ops::Weight>& dhead, const Tensor& y) {
  const auto scope = builder_.scope("head");
  const Tensor losses = builder_.transient("losses", {rows_});
  std::optional<Tensor> weights;
  if (pairs_) {
    const Tensor raw = builder_.transient("raw_losses", {rows_});
    classify(head, y, raw);
    weights = builder_.transient("weights", {rows_});
    write_preference(raw, builder_.transient("pair_scores", reference_->shape), weights);
  }
  const Tensor dy = builder_.transient("dy", y.shape, options_.activation_dtype);
  for_chunks(head, y, [&](const Chunk& chunk) {
    ops::cross_entropy_fused(builder_,
                             {.logits = chunk.logits,
                              .targets = tensors_.targets,
                              .losses = losses,
                              .first_row = chunk.first,
                              .V = config_.vocab_size,
                              .softcap = config_.logit_softcap,
                              .weights = weights},
                             1.0F / static_cast<float>(rows_ * options_.grad_accum_steps),
                             {.label_smoothing = options_.label_smoothing, .z_loss = options_.z_loss},
                             tensors_.loss_scale);
    const Tensor dy_rows = builder_.view(dy, chunk.first * config_.n_embd, chunk.y.shape);
    ops::linear_backward_input(builder_, {.dy = chunk.logits, .weight = head, .dx = dy_rows});
    if (dhead) {
      ops::linear_backward_weight(builder_, {.dy = chunk.logits, .x = chunk.y, .dweight = dhead->values});
    }
  });
  if (!pairs_) ops::loss_sum(builder_, losses, tensors_.targets, tensors_.accumulator);
  // Of several ranks each tells what it has summed up to here.
  if (options_.ranks.size > 0) end(tensor::kPreferenceResults);
  return dy;
}

void LossWriter::evaluate(const ops::Weight& head, const Tensor& y) {
  const auto scope = builder_.scope("head");
  const Tensor losses = options_.row_losses ? builder_.readback(tensor::kRowLosses, {rows_})
                                            : builder_.transient("losses", {rows_});
  classify(head, y, losses);
  if (pairs_) {
    write_preference(losses, builder_.readback(tensor::kPairScores, reference_->shape), std::nullopt);
  } else {
    ops::loss_sum(builder_, losses, tensors_.targets, tensors_.accumulator);
  }
}

void LossWriter::write_preference(const Tensor& losses, const Tensor& scores,
                                  const std::optional<Tensor>& weights) {
  const Tensor pair_losses = builder_.transient("pair_losses", {preference_.pairs});
  const Tensor counted = builder_.transient("pair_counted", {preference_.pairs}, DType::kI32);
  ops::preference_loss(builder_, {.losses = losses,
                                  .pairs = *pairs_,
                                  .reference = *reference_,
                                  .scores = scores,
                                  .pair_losses = pair_losses,
                                  .counted = counted,
                                  .sums = *sums_,
                                  .weights = weights,
                                  .beta = preference_.beta,
                                  .label_smoothing = preference_.label_smoothing});
  ops::loss_sum(builder_, pair_losses, counted, tensors_.accumulator);
}

}  // namespace vkgpt::model
