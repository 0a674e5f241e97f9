#include "vkgpt/text/generate/stop_filter.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace vkgpt::text {
namespace {

/// Bytes at the end of `text` that are the beginning of `stop`.
std::size_t overlap(std::string_view text, std::string_view stop) {
  std::size_t length = std::min(text.size(), stop.size() - 1);
  while (length > 0 && !text.ends_with(stop.substr(0, length))) --length;
  return length;
}

}  // namespace

StopFilter::StopFilter(const Tokenizer& tokenizer, std::vector<std::string> stops)
    : tokenizer_(&tokenizer), decoder_(tokenizer), stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopFilter::push(Token token) {
  if (stopped_) return {};
  if (tokenizer_->ends_text(token)) {
    std::string rest = finish();
    stopped_ = true;
    return rest;
  }
  held_ += decoder_.push(token);
  return release(false);
}

std::string StopFilter::finish() {
  if (stopped_) return {};
  held_ += decoder_.finish();
  return release(true);
}

std::string StopFilter::release(bool all) {
  std::size_t stop_at = held_.size();
  for (const std::string& stop : stops_) stop_at = std::min(stop_at, held_.find(stop));
  stopped_ = stop_at < held_.size();
  std::size_t kept = 0;
  if (!all && !stopped_) {
    for (const std::string& stop : stops_) kept = std::max(kept, overlap(held_, stop));
  }
  std::string shown = held_.substr(0, stop_at - kept);
  held_.erase(0, stopped_ ? held_.size() : stop_at - kept);
  return shown;
}

}  // namespace vkgpt::text
