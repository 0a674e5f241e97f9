#include "vkgpt/train/evaluator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/select_segments.hpp"

namespace vkgpt::train {
namespace {

constexpr std::int32_t kIgnored = -1;  // a target that the loss does not count

plan::Schedule eval_schedule(const model::GptParams& params, std::int64_t batch_size,
                             const vk::Target& target) {
  constexpr std::array<std::string_view, 3> kSegments = {model::segment::kEvalBegin,
                                                         model::segment::kEvalStep, model::segment::kEvalEnd};
  const plan::Plan plan = model::build_train_plan(params, {.batch_size = batch_size}, target);
  return plan::make_schedule(plan::select_segments(plan, kSegments), target.caps);
}

}  // namespace

double Evaluation::perplexity() const {
  return std::exp(loss());
}

double Evaluation::bits_per_byte(std::uint64_t bytes) const {
  return nats / std::numbers::ln2 / static_cast<double>(bytes);
}

Evaluator::Evaluator(vk::Context& context, const model::GptParams& params, std::int64_t batch_size,
                     std::span<const float> arena)
    : context_(context),
      B_(static_cast<std::size_t>(batch_size)),
      T_(static_cast<std::size_t>(params.config().block_size)),
      store_(context),
      executor_(context, store_, eval_schedule(params, batch_size, context.target())),
      ring_(context.queue()) {
  store_.upload(model::tensor::kParams, std::as_bytes(arena));
  executor_.build_pipelines();
  if (context.caps().is_cpu()) return;
  // Cards have watchdogs: an empty batch says where long work is to be cut.
  for (const plan::Segment& segment : executor_.schedule().plan.segments)
    executor_.run_eager(segment.name, 0);
}

std::optional<Evaluation> Evaluator::evaluate(TokenView tokens, const std::function<bool()>& keep_going) {
  if (tokens.size() < 2) fail("the text has {} tokens; at least two are needed", tokens.size());
  const std::size_t windows = (tokens.size() - 2) / T_ + 1;
  Evaluation sum;
  for (std::size_t window = 0; window < windows; window += B_) {
    if (!keep_going()) {
      context_.queue().wait_idle();
      std::ranges::fill(pending_, 0);
      return std::nullopt;
    }
    const int slot = ring_.acquire();
    collect(slot, sum);
    fill(slot, tokens, window);
    executor_.submit(model::segment::kEvalBegin, slot);
    executor_.submit(model::segment::kEvalStep, slot);
    executor_.submit(model::segment::kEvalEnd, slot);
    ring_.submitted(context_.queue().submitted());
  }
  for (int i = 0; i < plan::kSlotCount; ++i) collect(ring_.acquire(), sum);
  return sum;
}

void Evaluator::fill(int slot, TokenView tokens, std::size_t first_window) {
  const std::span<std::int32_t> inputs = store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot);
  const std::span<std::int32_t> targets = store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot);
  std::ranges::fill(inputs, 0);
  std::ranges::fill(targets, kIgnored);
  const std::size_t begin = first_window * T_;
  const std::size_t count = std::min(B_ * T_, tokens.size() - 1 - begin);
  tokens.copy(begin, inputs.first(count));
  tokens.copy(begin + 1, targets.first(count));
  pending_[slot] = count;
}

void Evaluator::collect(int slot, Evaluation& sum) {
  if (pending_[slot] == 0) return;
  const float mean = model::step_results(store_.readback_slot<float>(model::tensor::kEvalResults, slot)).loss;
  sum.nats += static_cast<double>(mean) * static_cast<double>(pending_[slot]);
  sum.predicted += pending_[slot];
  pending_[slot] = 0;
}

}  // namespace vkgpt::train
