#include "vkgpt/comm/collectives.hpp"

#include <cstdint>

namespace vkgpt::comm {

void broadcast(Communicator& ranks, std::span<std::byte> bytes, const std::string& what, int root,
               Patience patience) {
  std::vector<Message> messages;
  if (ranks.rank() != root) {
    messages.push_back(Message::receive(root, bytes));
  } else {
    for (int peer = 0; peer < ranks.size(); ++peer) {
      if (peer != root) messages.push_back(Message::send(peer, bytes));
    }
  }
  ranks.exchange(std::move(messages), what, patience);
}

std::vector<std::vector<std::byte>> all_gather(Communicator& ranks, std::span<const std::byte> bytes,
                                               const std::string& what, Patience patience) {
  std::vector<std::vector<std::byte>> all(static_cast<std::size_t>(ranks.size()));
  std::vector<Message> messages;
  for (int peer = 0; peer < ranks.size(); ++peer) {
    std::vector<std::byte>& theirs = all[static_cast<std::size_t>(peer)];
    if (peer == ranks.rank()) {
      theirs.assign(bytes.begin(), bytes.end());
      continue;
    }
    theirs.resize(bytes.size());
    messages.push_back(Message::receive(peer, theirs));
    messages.push_back(Message::send(peer, bytes));
  }
  ranks.exchange(std::move(messages), what, patience);
  return all;
}

std::vector<std::string> all_gather_text(Communicator& ranks, std::string_view text, const std::string& what,
                                         Patience patience) {
  const auto sizes = all_gather_value<std::uint64_t>(ranks, text.size(), what, patience);
  std::vector<std::string> all(sizes.size());
  std::vector<Message> messages;
  for (std::size_t peer = 0; peer < sizes.size(); ++peer) {
    if (static_cast<int>(peer) == ranks.rank()) {
      all[peer] = text;
      continue;
    }
    all[peer].resize(sizes[peer]);
    if (!all[peer].empty()) {
      messages.push_back(
          Message::receive(static_cast<int>(peer), std::as_writable_bytes(std::span(all[peer]))));
    }
    if (!text.empty()) {
      messages.push_back(Message::send(static_cast<int>(peer), std::as_bytes(std::span(text))));
    }
  }
  ranks.exchange(std::move(messages), what, patience);
  return all;
}

void barrier(Communicator& ranks, const std::string& what, Patience patience) {
  all_gather_value(ranks, std::byte{1}, what, patience);
}

}  // namespace vkgpt::comm
