#include "vkgpt/text/generate/decoder.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/schedule.hpp"

namespace vkgpt::text {

Decoder::Decoder(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
                 const model::DecodeOptions& options, std::span<const model::Adapter> adapters,
                 const vk::Target* target)
    : context_(context),
      store_(store),
      config_(params.config()),
      options_(options),
      executor_(
          context, store,
          plan::make_schedule(model::build_decode_plan(params, target == nullptr ? context.target() : *target,
                                                       options, adapters),
                              context.caps())),
      ring_(context.queue()),
      adapters_(static_cast<std::int32_t>(adapters.size())),
      runs_differ_(!(target == nullptr ? context.caps() : target->caps).is_cpu()),
      draws_(model::decode::draws(options, target == nullptr ? context.caps() : target->caps)) {}

void Decoder::record() {
  executor_.build_pipelines();
  for (const plan::Segment& segment : executor_.schedule().plan.segments) executor_.record(segment.name);
}

std::size_t Decoder::longest_run() const {
  return static_cast<std::size_t>(std::min(model::decode::run_rows(config_).back(), config_.block_size));
}

/// Writes rows, and padding up to the next of `counts`, which is given.
std::int64_t Decoder::fill(std::span<const std::int64_t> counts, std::span<const DecodeRow> rows) {
  const auto count = std::ranges::lower_bound(counts, static_cast<std::int64_t>(rows.size()));
  VKGPT_CHECK(!rows.empty() && count != counts.end(), "{} rows", rows.size());
  slot_ = ring_.acquire();
  const auto tokens = store_.upload_slot<Token>(model::decode::kTokens, slot_);
  const auto places = store_.upload_slot<std::int32_t>(model::decode::kPlaces, slot_);
  for (std::size_t r = 0; r < static_cast<std::size_t>(*count); ++r) {
    const DecodeRow row = r < rows.size() ? rows[r] : DecodeRow{.token = 0, .position = 0, .slot = -1};
    VKGPT_CHECK(row.position >= 0 && row.position < config_.block_size && row.slot < options_.slots,
                "position {} of slot {}", row.position, row.slot);
    tokens[r] = row.token;
    places[2 * r] = row.position;
    places[2 * r + 1] = row.slot;
  }
  if (adapters_ == 0) return *count;
  const auto chosen = store_.upload_slot<std::int32_t>(model::decode::kAdapters, slot_);
  for (std::size_t r = 0; r < static_cast<std::size_t>(*count); ++r) {
    chosen[r] = r < rows.size() ? rows[r].adapter : -1;
    VKGPT_CHECK(chosen[r] < adapters_, "adapter {} of {}", chosen[r], adapters_);
  }
  return *count;
}

void Decoder::step(std::span<const DecodeRow> rows) {
  const std::int64_t count = fill(model::decode::step_rows(options_), rows);
  std::vector<std::optional<ops::SampleControl>> draws;
  for (const DecodeRow& row : rows) draws.push_back(row.draw);
  submit(model::decode::step_segment(count), 0, draws);
}

void Decoder::run(std::span<const Token> tokens, std::int32_t position, std::int32_t slot,
                  std::int32_t adapter, const std::optional<ops::SampleControl>& draw) {
  std::vector<DecodeRow> rows;
  rows.reserve(tokens.size());
  for (const Token token : tokens) {
    rows.push_back({.token = token, .position = position++, .slot = slot, .adapter = adapter});
  }
  const std::int64_t count = fill(model::decode::run_rows(config_), rows);
  submit(model::decode::run_segment(count), static_cast<std::uint32_t>(tokens.size()), {&draw, 1});
}

/// Runs a segment that fills a row of logits for each of `draws`.
void Decoder::submit(std::string_view segment, std::uint32_t token_count,
                     std::span<const std::optional<ops::SampleControl>> draws) {
  ops::StepParams params;
  params.token_count = token_count;
  if (token_count > 0) {
    std::memcpy(store_.upload_slot<std::byte>(model::tensor::kStepParams, slot_).data(), &params,
                sizeof(params));
  }
  if (draws_) {
    const auto controls = store_.upload_slot<ops::SampleControl>(model::decode::kControls, slot_);
    std::ranges::fill(controls, ops::SampleControl{});
    for (std::size_t r = 0; r < draws.size(); ++r) controls[r] = draws[r].value_or(ops::SampleControl{});
  }
  has_logits_ = !draws_ || std::ranges::any_of(draws, [](const auto& draw) { return !draw; });
  std::uint64_t value = executor_.submit(segment, slot_);
  if (draws_ && has_logits_) {
    const std::vector<std::int64_t> counts = model::decode::step_rows(options_);
    const auto count = std::ranges::lower_bound(counts, std::ssize(draws));
    value = executor_.submit(model::decode::logits_segment(*count), slot_);
  }
  ring_.submitted(value);
  context_.queue().wait(value);
}

std::span<const float> Decoder::logits(std::size_t row) const {
  VKGPT_CHECK(has_logits_);
  const auto padded = static_cast<std::size_t>(config_.padded_vocab_size());
  return store_.readback_slot<float>(model::decode::kLogits, slot_)
      .subspan(row * padded, static_cast<std::size_t>(config_.vocab_size));
}

ops::Sampled Decoder::drawn(std::size_t row) const {
  VKGPT_CHECK(draws_);
  return store_.readback_slot<ops::Sampled>(model::decode::kDrawn, slot_)[row];
}

}  // namespace vkgpt::text
