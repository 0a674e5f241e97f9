#pragma once

#include <volk.h>

namespace vkgpt::test {

/// Counts dispatches and submissions on the shared device while it lives; one at a time.
class CallCounter {
 public:
  CallCounter();
  CallCounter(const CallCounter&) = delete;
  CallCounter& operator=(const CallCounter&) = delete;
  ~CallCounter();

  void reset();
  int dispatches() const;
  int submits() const;

 private:
  VolkDeviceTable& table_;
};

}  // namespace vkgpt::test
