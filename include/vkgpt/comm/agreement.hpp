#pragma once

#include <functional>
#include <string>
#include <vector>

#include "vkgpt/comm/communicator.hpp"

// How ranks refuse together: one line, and all end with the same exit code.

namespace vkgpt::comm {

/// "[rank 1 node7] " for messages of rank 1.
std::string rank_prefix(int rank, const std::string& host);

/// Runs `work` on every rank. Where it throws `Error` on any, all throw: rank 0 the first rank's message with
/// its exit code, the others an `Error` without text, which ends them quietly.
void together(Communicator& ranks, const std::string& what, const std::function<void()>& work);

/// A value that every rank must have alike, without zero bytes, and its name for messages.
struct Agreement {
  std::string name;
  std::string value;
};

/// Refuses, as `together` does, where a rank has other values than rank 0.
void agree(Communicator& ranks, const std::vector<Agreement>& values);

}  // namespace vkgpt::comm
