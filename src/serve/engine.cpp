#include "serve/engine.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <set>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::serve {

Engine::Engine(OpenMachine open, const text::Tokenizer& tokenizer, std::size_t slots, std::size_t queue,
               EngineListener& listener)
    : open_(std::move(open)),
      tokenizer_(tokenizer),
      most_texts_(slots + queue),
      listener_(listener),
      machine_(open_()) {
  note_state();
  thread_ = std::thread([this] { work(); });
}

Engine::~Engine() {
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool Engine::submit(GenerationId id, Generation generation) {
  const std::scoped_lock lock(mutex_);
  const std::size_t busy = state_.running + state_.waiting + submitted_texts_;
  if (busy > 0 && busy + generation.texts() > most_texts_) return false;
  submitted_texts_ += generation.texts();
  submitted_.emplace_back(id, std::move(generation));
  changed_.notify_one();
  return true;
}

void Engine::cancel(GenerationId id) {
  const std::scoped_lock lock(mutex_);
  cancelled_.push_back(id);
  changed_.notify_one();
}

EngineState Engine::state() const {
  const std::scoped_lock lock(mutex_);
  EngineState state = state_;
  state.waiting += submitted_texts_;
  return state;
}

void Engine::work() {
  while (take_orders()) {
    try {
      if (!machine_) machine_ = open_();
      for (const text::DrawnToken& token : machine_->batch().step()) take(token);
      machine_->context().instance().check_messages();
    } catch (const std::exception& error) {
      recover(error.what());
    }
    note_state();
    tell();
  }
}

/// Waits until there is work; false at the end.
bool Engine::take_orders() {
  std::vector<std::pair<GenerationId, Generation>> submitted;
  std::vector<GenerationId> cancelled;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return is_ending_ || !texts_.empty() || !submitted_.empty() || !cancelled_.empty() || !machine_;
    });
    if (is_ending_) return false;
    submitted.swap(submitted_);
    cancelled.swap(cancelled_);
    submitted_texts_ = 0;
    for (const auto& [id, generation] : submitted) state_.waiting += generation.texts();
  }
  for (const auto& [id, generation] : submitted) {
    if (!std::ranges::contains(cancelled, id)) start(id, generation);
  }
  for (const GenerationId id : cancelled) drop(id);
  return true;
}

void Engine::start(GenerationId id, const Generation& generation) {
  if (!machine_) return listener_.failed(id, "the device was lost and is not back yet; try again");
  for (std::size_t index = 0; index < generation.texts(); ++index) {
    const std::size_t prompt = index / generation.choices;
    text::Continuation text{.prompt = generation.prompts[prompt],
                            .sampling = generation.sampling,
                            .seed = generation.seeds[prompt],
                            .sample = static_cast<std::uint32_t>(index % generation.choices),
                            .adapter = generation.adapter,
                            .max_new_tokens = generation.max_new_tokens[prompt],
                            .wants_logprobs = generation.wants_logprobs,
                            .likeliest = generation.likeliest};
    const std::uint64_t batch_id = machine_->batch().add(std::move(text));
    texts_.emplace(
        batch_id,
        Text{.generation = id, .index = index, .filter = text::StopFilter(tokenizer_, generation.stops)});
  }
}

void Engine::drop(GenerationId id) {
  std::erase_if(texts_, [&](const auto& entry) {
    if (entry.second.generation != id) return false;
    if (machine_) machine_->batch().remove(entry.first);
    return true;
  });
}

void Engine::take(const text::DrawnToken& token) {
  const auto found = texts_.find(token.id);
  if (found == texts_.end()) return;
  Text& text = found->second;
  const GenerationId generation = text.generation;
  if (!token.error.empty()) {
    drop(generation);
    news_.push_back({.id = generation, .error = token.error});
    return;
  }
  ++text.drawn;
  ++counts_.drawn_tokens;
  Piece piece = piece_of(text, token);
  if (piece.finish != Finish::kNone) {
    if (!token.is_last) machine_->batch().remove(token.id);
    texts_.erase(found);
  }
  news_.push_back({.id = generation, .piece = std::move(piece)});
}

void Engine::tell() {
  for (News& news : std::exchange(news_, {})) {
    if (news.error.empty()) {
      listener_.advanced(news.id, std::move(news.piece));
    } else {
      listener_.failed(news.id, std::move(news.error));
    }
  }
}

Piece Engine::piece_of(Text& text, const text::DrawnToken& token) const {
  Piece piece{.index = text.index, .text = text.filter.push(token.token), .drawn = text.drawn};
  if (text.filter.stopped()) {
    piece.finish = Finish::kStop;
    return piece;
  }
  if (token.is_last) {
    piece.text += text.filter.finish();
    piece.finish = text.filter.stopped() ? Finish::kStop : Finish::kLength;
  }
  if (token.has_logprobs) piece.tokens.push_back(describe(token));
  return piece;
}

PieceToken Engine::describe(const text::DrawnToken& token) const {
  const auto likely = [&](text::Token which, double logprob) {
    return LikelyToken{tokenizer_.decode_more({&which, 1}), logprob};
  };
  PieceToken described{.token = likely(token.token, token.logprob)};
  for (const text::TokenLogprob& each : token.likeliest) {
    described.likeliest.push_back(likely(each.token, each.logprob));
  }
  return described;
}

void Engine::recover(const std::string& why) {
  log_error("{}; running requests end, the model is loaded again", why);
  if (machine_) {
    ++counts_.losses;
    counts_.run_tokens += machine_->batch().tokens_run();
    counts_.reused_tokens += machine_->batch().tokens_reused();
  }
  std::set<GenerationId> generations;
  for (const auto& [id, text] : texts_) generations.insert(text.generation);
  texts_.clear();
  machine_.reset();
  note_state();
  for (const GenerationId id : generations) {
    news_.push_back({.id = id, .error = "the device failed; try again"});
  }
  tell();
  try {
    machine_ = open_();
  } catch (const std::exception& error) {
    log_error("{}; trying again in a second", error.what());
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(1), [&] { return is_ending_; });
  }
}

void Engine::note_state() {
  const std::scoped_lock lock(mutex_);
  state_ = counts_;
  state_.is_ready = machine_ != nullptr;
  if (!machine_) return;
  const text::Batch& batch = machine_->batch();
  state_.running = batch.running();
  state_.waiting = batch.waiting();
  state_.run_tokens += batch.tokens_run();
  state_.reused_tokens += batch.tokens_reused();
}

}  // namespace vkgpt::serve
