#include "text/corpus/encode_pipeline.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/core/error.hpp"

namespace vkgpt::text {

EncodePipeline::EncodePipeline(const Tokenizer& tokenizer, Next next, unsigned threads)
    : tokenizer_(tokenizer), next_(std::move(next)) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  window_ = std::size_t{2} * threads + 2;
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

EncodePipeline::~EncodePipeline() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

EncodePipeline::Slot* EncodePipeline::read() {
  const std::lock_guard reading(reading_);
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || ended_ || slots_.size() < window_; });
    if (stopped_ || ended_) return nullptr;
  }
  auto slot = std::make_unique<Slot>();
  bool ended = false;
  try {
    if (auto job = next_()) {
      slot->job = std::move(*job);
    } else {
      ended = true;
    }
  } catch (...) {
    slot->error = std::current_exception();
    slot->ready = true;
  }
  const std::lock_guard lock(mutex_);
  ended_ = ended || slot->error;
  Slot* const place = ended_ ? nullptr : slot.get();
  if (!ended) slots_.push_back(std::move(slot));
  if (ended_) changed_.notify_all();
  return place;
}

void EncodePipeline::work() {
  while (Slot* const slot = read()) {
    std::exception_ptr error;
    try {
      encode(slot->job);
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      slot->error = error;
      slot->ready = true;
    }
    changed_.notify_all();
  }
}

void EncodePipeline::encode(EncodeJob& job) const {
  const std::optional<Token> end = tokenizer_.end_of_text();
  try {
    for (const TextPart& part : job.parts) {
      std::vector<Token>& tokens = job.tokens[part.split];
      part.continues ? tokenizer_.append_more(part.text, tokens)
                     : tokenizer_.append_tokens(part.text, tokens);
      if (part.ends_document && end) tokens.push_back(*end);
    }
  } catch (const Error& error) {
    fail("{}: {}", job.place, error.what());
  }
}

std::optional<EncodeJob> EncodePipeline::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return slots_.empty() ? ended_ : slots_.front()->ready; });
  if (slots_.empty()) return std::nullopt;
  if (slots_.front()->error) std::rethrow_exception(slots_.front()->error);
  EncodeJob job = std::move(slots_.front()->job);
  slots_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return job;
}

}  // namespace vkgpt::text
