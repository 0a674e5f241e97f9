#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "serve/engine.hpp"

namespace vkgpt::serve {

/// What /metrics tells, in the text format of Prometheus.
class Statistics {
 public:
  void count_request(const std::string& endpoint, int status) { ++requests_[{endpoint, status}]; }
  /// Seconds from a request to its first token.
  void note_first_token(double seconds);

  std::string text(const EngineState& engine, std::size_t slots, std::size_t connections) const;

 private:
  static constexpr std::array kBounds = {0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0};

  std::map<std::pair<std::string, int>, std::uint64_t> requests_;  // by endpoint and status
  std::array<std::uint64_t, kBounds.size()> first_token_ = {};     // up to each bound
  std::uint64_t first_tokens_ = 0;
  double first_token_seconds_ = 0;
};

}  // namespace vkgpt::serve
