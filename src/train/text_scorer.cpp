#include "vkgpt/train/text_scorer.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/select_segments.hpp"

namespace vkgpt::train {
namespace {

plan::Schedule score_schedule(const model::GptParams& params, std::int64_t batch_size,
                              const vk::Target& target) {
  constexpr std::array<std::string_view, 3> kSegments = {model::segment::kEvalBegin,
                                                         model::segment::kEvalStep, model::segment::kEvalEnd};
  const plan::Plan plan = model::build_train_plan(
      params, {.batch_size = batch_size, .documents = true, .row_losses = true}, target);
  return plan::make_schedule(plan::select_segments(plan, kSegments), target.caps);
}

}  // namespace

TextScorer::TextScorer(vk::Context& context, const model::GptParams& params, std::int64_t batch_size,
                       std::span<const float> arena)
    : context_(context),
      B_(static_cast<std::size_t>(batch_size)),
      T_(static_cast<std::size_t>(params.config().block_size)),
      store_(context),
      executor_(context, store_, score_schedule(params, batch_size, context.target())),
      ring_(context.queue()) {
  store_.upload(model::tensor::kParams, std::as_bytes(arena));
  executor_.build_pipelines();
  if (context.caps().is_cpu()) return;
  // Cards have watchdogs: an empty batch says where long work is to be cut.
  for (const plan::Segment& segment : executor_.schedule().plan.segments)
    executor_.run_eager(segment.name, 0);
}

std::optional<std::vector<double>> TextScorer::log_likelihoods(std::span<const text::ScoredText> texts,
                                                               const std::function<bool()>& keep_going) {
  std::vector<double> sums(texts.size(), 0.0);
  // Of about the same length together, so that windows are filled well.
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return texts[a].tokens.size() > texts[b].tokens.size(); });
  begin_batch();
  for (const std::size_t index : order) {
    VKGPT_CHECK(texts[index].tokens.size() >= 2 && texts[index].tokens.size() <= longest() &&
                    texts[index].first_scored >= 1,
                "a text of {} tokens", texts[index].tokens.size());
    if (add(texts, index)) continue;
    if (!keep_going()) return std::nullopt;
    run_batch(texts, sums);
    begin_batch();
    VKGPT_CHECK(add(texts, index));
  }
  if (!places_.empty()) run_batch(texts, sums);
  return sums;
}

void TextScorer::begin_batch() {
  slot_ = ring_.acquire();
  used_.assign(B_, 0);
  places_.clear();
  std::ranges::fill(store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot_), 0);
  std::ranges::fill(store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot_), -1);
  std::ranges::fill(store_.upload_slot<std::int32_t>(model::tensor::kPositions, slot_), 0);
}

/// Puts a text into the first window that has room; false where none has.
bool TextScorer::add(std::span<const text::ScoredText> texts, std::size_t index) {
  const text::ScoredText& text = texts[index];
  const std::size_t count = text.tokens.size() - 1;
  const auto window = std::ranges::find_if(used_, [&](std::size_t used) { return used + count <= T_; });
  if (window == used_.end()) return false;
  const auto row = static_cast<std::size_t>(window - used_.begin());
  const std::size_t at = row * T_ + *window;
  const auto tokens = store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot_);
  const auto targets = store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot_);
  const auto positions = store_.upload_slot<std::int32_t>(model::tensor::kPositions, slot_);
  for (std::size_t i = 0; i < count; ++i) {
    tokens[at + i] = text.tokens[i];
    if (i + 1 >= text.first_scored) targets[at + i] = text.tokens[i + 1];
    positions[at + i] = static_cast<std::int32_t>(i);
  }
  *window += count;
  places_.push_back({index, at});
  return true;
}

void TextScorer::run_batch(std::span<const text::ScoredText> texts, std::span<double> sums) {
  for (const char* segment :
       {model::segment::kEvalBegin, model::segment::kEvalStep, model::segment::kEvalEnd}) {
    executor_.submit(segment, slot_);
  }
  ring_.submitted(context_.queue().submitted());
  context_.queue().wait_idle();
  const auto losses = store_.readback_slot<float>(model::tensor::kRowLosses, slot_);
  for (const Place& place : places_) {
    for (std::size_t i = texts[place.text].first_scored - 1; i + 1 < texts[place.text].tokens.size(); ++i) {
      sums[place.text] -= losses[place.at + i];
    }
  }
}

}  // namespace vkgpt::train
