#pragma once

#include <chrono>
#include <cstdint>

namespace vkgpt::train {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// How long steps take, evaluations, samples and saves left out: they restart the clock.
class Pace {
 public:
  void restart(std::int64_t finished_steps) {
    mark_ = std::chrono::steady_clock::now();
    step_ = finished_steps;
  }

  /// Mean seconds of the steps since the restart; 0 where there is none.
  double step_seconds(std::int64_t finished_steps) const {
    const std::int64_t timed = finished_steps - step_;
    return timed > 0 ? seconds_since(mark_) / static_cast<double>(timed) : 0;
  }

 private:
  std::chrono::steady_clock::time_point mark_ = std::chrono::steady_clock::now();
  std::int64_t step_ = 0;
};

}  // namespace vkgpt::train
