#include "vkgpt/text/generate/batch.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::text {
namespace {

/// Tokens of a prompt that are run between two steps of other texts, so that these are not held up for long.
constexpr std::size_t kPieceBesideOthers = 64;

std::size_t common_beginning(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// log of the softmax's denominator.
double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

void add_logprobs(DrawnToken& drawn, std::span<const float> logits, std::size_t count) {
  const double total = log_sum_exp(logits);
  drawn.has_logprobs = true;
  drawn.logprob = logits[static_cast<std::size_t>(drawn.token)] - total;
  std::vector<Token> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Token>(i);
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
  std::ranges::partial_sort(order, end, [&](Token a, Token b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  for (auto token = order.begin(); token != end; ++token) {
    drawn.likeliest.push_back({*token, logits[static_cast<std::size_t>(*token)] - total});
  }
}

}  // namespace

Batch::Batch(Decoder& decoder, std::int64_t vocab_size)
    : decoder_(decoder),
      drawn_(static_cast<std::size_t>(vocab_size == 0 ? decoder.config().vocab_size : vocab_size)),
      slots_(static_cast<std::size_t>(decoder.options().slots)) {
  VKGPT_CHECK(std::cmp_less_equal(drawn_, decoder.config().vocab_size), "{} tokens", drawn_);
}

std::uint64_t Batch::add(Continuation text) {
  VKGPT_CHECK(!text.prompt.empty() && text.max_new_tokens > 0);
  const auto block_size = static_cast<std::size_t>(decoder_.config().block_size);
  const std::uint64_t id = next_id_++;
  Sampler sampler(text.sampling, text.seed, text.sample);
  std::vector<Token> tokens = std::move(text.prompt);
  const std::size_t prompt_size = tokens.size();
  const std::size_t window = tokens.size() > block_size ? tokens.size() - block_size : 0;
  texts_.push_back({.id = id,
                    .wish = std::move(text),
                    .sampler = std::move(sampler),
                    .tokens = std::move(tokens),
                    .prompt_size = prompt_size,
                    .window = window});
  return id;
}

void Batch::remove(std::uint64_t id) {
  const auto text = std::ranges::find(texts_, id, &Text::id);
  if (text != texts_.end()) leave(text);
}

void Batch::forget() {
  VKGPT_CHECK(texts_.empty());
  for (Slot& slot : slots_) empty(slot);
}

std::size_t Batch::running() const {
  return static_cast<std::size_t>(std::ranges::count_if(slots_, &Slot::is_taken));
}

void Batch::leave(std::list<Text>::iterator text) {
  if (text->slot >= 0) slots_[static_cast<std::size_t>(text->slot)].is_taken = false;
  texts_.erase(text);
}

void Batch::give_slots() {
  std::size_t free = slots_.size() - running();
  for (Text& text : texts_) {
    if (free == 0) return;
    if (text.slot >= 0) continue;
    give_slot(text);
    --free;
  }
}

/// What a text that takes the slot finds in it, and what it throws away.
Batch::Share Batch::share_of(const Slot& slot, const Text& text) const {
  const std::size_t usable = decoder_.runs_differ() ? slot.by_runs : slot.tokens.size();
  if (!text.wish.keeps_cache || slot.adapter != text.wish.adapter) return {.common = 0, .lost = usable};
  const std::size_t common = common_beginning(slot.tokens, std::span(text.tokens).subspan(text.window));
  const std::size_t found = std::min(common, usable);
  // A text that has all of the slot's prompt goes on with it or draws it anew: nobody misses the rest.
  return {.common = found, .lost = common < slot.prompt ? usable - found : 0};
}

/// The free slot that shares most with the text, among equals the one that was not used for longest; but an
/// empty one where that would throw away more than it shares, which another text may still go on with.
void Batch::give_slot(Text& text) {
  std::size_t best = slots_.size(), empty_one = slots_.size();
  Share share;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].is_taken) continue;
    if (slots_[i].tokens.empty()) empty_one = std::min(empty_one, i);
    const Share found = share_of(slots_[i], text);
    if (best < slots_.size() &&
        (found.common < share.common ||
         (found.common == share.common && slots_[i].last_use >= slots_[best].last_use))) {
      continue;
    }
    best = i;
    share = found;
  }
  if (share.lost > share.common && empty_one < slots_.size()) {
    best = empty_one;
    share = {};
  }
  // The last token is run in any case: its logits are wanted.
  text.cached = std::min(share.common, text.tokens.size() - text.window - 1);
  text.slot = static_cast<int>(best);
  tokens_reused_ += text.cached;
  slots_[best].is_taken = true;
  slots_[best].tokens.resize(text.cached);
  slots_[best].by_runs = std::min(slots_[best].by_runs, text.cached);
  slots_[best].prompt = text.prompt_size - text.window;
  slots_[best].adapter = text.wish.adapter;
}

std::vector<DrawnToken> Batch::step() {
  ++steps_;
  give_slots();
  std::vector<DrawnToken> drawn;
  step_ready(drawn);
  run_piece(drawn);
  return drawn;
}

void Batch::empty(Slot& slot) {
  slot.tokens.clear();
  slot.by_runs = 0;
  slot.prompt = 0;
}

void Batch::note_cached(Text& text, std::size_t count, bool by_run) {
  Slot& slot = slots_[static_cast<std::size_t>(text.slot)];
  const auto more = std::span(text.tokens).subspan(text.window + text.cached, count);
  if (by_run && slot.by_runs == slot.tokens.size()) slot.by_runs += count;
  slot.tokens.insert(slot.tokens.end(), more.begin(), more.end());
  slot.last_use = steps_;
  text.cached += count;
  tokens_run_ += count;
}

/// A token that was drawn, or on CPU drivers the last of a prompt, comes by a step.
bool Batch::takes_step(const Text& text) const {
  return text.pending() == 1 && (text.tokens.size() > text.prompt_size || !decoder_.runs_differ());
}

void Batch::step_ready(std::vector<DrawnToken>& drawn) {
  std::vector<std::list<Text>::iterator> ready;
  for (auto text = texts_.begin(); text != texts_.end(); ++text) {
    if (text->slot >= 0 && takes_step(*text)) ready.push_back(text);
  }
  constexpr auto kMost = static_cast<std::size_t>(model::decode::kMostRows);
  for (std::size_t first = 0; first < ready.size(); first += kMost) {
    const auto group = std::span(ready).subspan(first, std::min(kMost, ready.size() - first));
    std::vector<DecodeRow> rows;
    for (const auto text : group) {
      rows.push_back({.token = text->tokens.back(),
                      .position = static_cast<std::int32_t>(text->cached),
                      .slot = text->slot,
                      .adapter = text->wish.adapter,
                      .draw = control_of(*text)});
    }
    decoder_.step(rows);
    for (std::size_t r = 0; r < group.size(); ++r) {
      note_cached(*group[r], 1, false);
      draw(group[r], r, drawn);
    }
  }
}

/// A piece of the prompt that has waited longest.
void Batch::run_piece(std::vector<DrawnToken>& drawn) {
  auto chosen = texts_.end();
  for (auto text = texts_.begin(); text != texts_.end(); ++text) {
    if (text->slot < 0 || takes_step(*text)) continue;
    if (chosen == texts_.end() || text->last_run < chosen->last_run) chosen = text;
  }
  if (chosen == texts_.end()) return;
  Text& text = *chosen;
  const bool is_alone = texts_.size() == 1;
  const std::size_t most =
      is_alone ? decoder_.longest_run() : std::min(kPieceBesideOthers, decoder_.longest_run());
  std::size_t count = std::min(text.pending(), most);
  // The next piece is to be a run, too.
  if (decoder_.runs_differ() && count > 1 && text.pending() == count + 1) --count;
  const bool is_whole = count == text.pending();
  decoder_.run(std::span(text.tokens).subspan(text.window + text.cached, count),
               static_cast<std::int32_t>(text.cached), text.slot, text.wish.adapter,
               is_whole ? control_of(text) : ops::SampleControl{});
  note_cached(text, count, true);
  text.last_run = steps_;
  if (is_whole) draw(chosen, 0, drawn);
}

/// How the device draws the next token of a text; nothing where the host does.
std::optional<ops::SampleControl> Batch::control_of(const Text& text) const {
  if (!decoder_.draws() || text.wish.wants_logprobs || !text.sampler.is_of_device()) return std::nullopt;
  return text.sampler.control(drawn_, static_cast<std::uint32_t>(text.tokens.size()));
}

Token Batch::next_token(Text& text, std::size_t row) {
  if (control_of(text)) return Sampler::token_of(decoder_.drawn(row));
  return text.sampler.draw(decoder_.logits(row).first(drawn_), text.tokens,
                           static_cast<std::uint32_t>(text.tokens.size()));
}

void Batch::draw(std::list<Text>::iterator at, std::size_t row, std::vector<DrawnToken>& drawn) {
  Text& text = *at;
  const auto block_size = static_cast<std::size_t>(decoder_.config().block_size);
  DrawnToken next{.id = text.id};
  try {
    next.token = next_token(text, row);
  } catch (const Error& error) {
    next.error = error.what();
    next.is_last = true;
    drawn.push_back(std::move(next));
    return leave(at);
  }
  if (text.wish.wants_logprobs) {
    add_logprobs(next, decoder_.logits(row).first(drawn_), text.wish.likeliest);
  }
  text.tokens.push_back(next.token);
  const bool is_full = text.tokens.size() - text.window > block_size;
  next.is_last = --text.wish.max_new_tokens == 0 || (is_full && !text.wish.slides);
  drawn.push_back(std::move(next));
  if (drawn.back().is_last) return leave(at);
  if (is_full) text.window += std::max<std::size_t>(1, block_size / 4);
  if (is_full || !text.wish.keeps_cache) {
    text.cached = 0;
    empty(slots_[static_cast<std::size_t>(text.slot)]);
  }
}

}  // namespace vkgpt::text
