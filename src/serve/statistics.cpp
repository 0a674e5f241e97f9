#include "serve/statistics.hpp"

#include <string_view>
#include <utility>

#include "vkgpt/core/format.hpp"

namespace vkgpt::serve {
namespace {

class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += vkgpt::format("# HELP vkgpt_{} {}\n# TYPE vkgpt_{} {}\n", name, help, name, type);
  }
  void value(std::string_view name, double value) { text_ += vkgpt::format("vkgpt_{} {}\n", name, value); }
  void single(std::string_view name, std::string_view type, std::string_view help, std::uint64_t number) {
    family(name, type, help);
    value(name, static_cast<double>(number));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

void Statistics::note_first_token(double seconds) {
  for (std::size_t i = 0; i < kBounds.size(); ++i) first_token_[i] += seconds <= kBounds[i] ? 1 : 0;
  ++first_tokens_;
  first_token_seconds_ += seconds;
}

std::string Statistics::text(const EngineState& engine, std::size_t slots, std::size_t connections) const {
  Exposition all;
  all.family("requests_total", "counter", "Requests by endpoint and status.");
  for (const auto& [key, count] : requests_) {
    all.value(vkgpt::format("requests_total{{endpoint=\"{}\",status=\"{}\"}}", key.first, key.second),
              static_cast<double>(count));
  }
  all.single("tokens_run_total", "counter", "Tokens that went through the model.", engine.run_tokens);
  all.single("tokens_reused_total", "counter", "Prompt tokens that were in the cache.", engine.reused_tokens);
  all.single("tokens_drawn_total", "counter", "Tokens that were generated.", engine.drawn_tokens);
  all.single("device_losses_total", "counter", "Times that the device was lost.", engine.losses);
  all.single("ready", "gauge", "1 where the model is on the device.", engine.is_ready ? 1 : 0);
  all.single("slots", "gauge", "Texts that can be continued together.", slots);
  all.single("texts_running", "gauge", "Texts that are continued now.", engine.running);
  all.single("texts_waiting", "gauge", "Texts that wait for a slot.", engine.waiting);
  all.single("http_connections", "gauge", "Open connections.", connections);
  all.family("first_token_seconds", "histogram", "Time from a request to its first token.");
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    all.value(vkgpt::format("first_token_seconds_bucket{{le=\"{}\"}}", kBounds[i]),
              static_cast<double>(first_token_[i]));
  }
  all.value("first_token_seconds_bucket{le=\"+Inf\"}", static_cast<double>(first_tokens_));
  all.value("first_token_seconds_sum", first_token_seconds_);
  all.value("first_token_seconds_count", static_cast<double>(first_tokens_));
  return all.take();
}

}  // namespace vkgpt::serve
