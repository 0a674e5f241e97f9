#pragma once

#include <volk.h>

namespace vkgpt::test {

/// Counts dispatches, barriers, submissions and allocations on the shared device while it lives; one at a
/// time.
class CallCounter {
 public:
  CallCounter();
  CallCounter(const CallCounter&) = delete;
  CallCounter& operator=(const CallCounter&) = delete;
  ~CallCounter();

  void reset();
  int dispatches() const;
  int submits() const;
  int barriers() const;
  /// Those of them whose stages are compute alone.
  int dispatch_barriers() const;
  /// Objects created, and memory allocated beyond what there was at the last `reset`.
  int allocations() const;

 private:
  VolkDeviceTable& table_;
  int memory_at_reset_ = 0;
};

}  // namespace vkgpt::test
