#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vkgpt/comm/communicator.hpp"

// What all ranks do together, each calling with the same sizes in the same order.

namespace vkgpt::comm {

/// `bytes` of rank `root` replace those of the others.
void broadcast(Communicator& ranks, std::span<std::byte> bytes, const std::string& what, int root = 0,
               Patience patience = Patience::kUsual);

/// The bytes of every rank, by rank; all give as many.
std::vector<std::vector<std::byte>> all_gather(Communicator& ranks, std::span<const std::byte> bytes,
                                               const std::string& what, Patience patience = Patience::kUsual);

/// The texts of every rank, of any length each.
std::vector<std::string> all_gather_text(Communicator& ranks, std::string_view text, const std::string& what,
                                         Patience patience = Patience::kUsual);

/// Returns when every rank has called it.
void barrier(Communicator& ranks, const std::string& what, Patience patience = Patience::kUsual);

/// The same for one value of a plain type.
template <typename T>
  requires std::is_trivially_copyable_v<T>
std::vector<T> all_gather_value(Communicator& ranks, const T& value, const std::string& what,
                                Patience patience = Patience::kUsual) {
  std::vector<T> values;
  for (const auto& bytes : all_gather(ranks, std::as_bytes(std::span(&value, 1)), what, patience)) {
    T& copy = values.emplace_back();
    std::ranges::copy(bytes, reinterpret_cast<std::byte*>(&copy));
  }
  return values;
}

}  // namespace vkgpt::comm
