#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "vkgpt/comm/communicator.hpp"

namespace vkgpt::test {

/// Messages between the threads of one process, by sender, receiver and tag.
class Mailbox {
 public:
  void put(int from, int to, int tag, std::vector<std::byte> bytes);
  /// Waits for the next one; throws `Error` once `close` was called.
  std::vector<std::byte> take(int from, int to, int tag);
  void close();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::tuple<int, int, int>, std::deque<std::vector<std::byte>>> messages_;
  bool closed_ = false;
};

/// Calls `work` as each of `size` ranks, in a thread of its own. Rethrows the first error.
void run_ranks(int size, const std::function<void(comm::Communicator&)>& work);

}  // namespace vkgpt::test
