#include "comm/mpi_communicator.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace vkgpt::comm {
namespace {

// An engine whose only rank is its own peer; its functions know no object.
struct Loopback {
  std::vector<std::byte> sent;
  const void* sent_from = nullptr;
  const void* received_at = nullptr;
  std::vector<int> through;
};
Loopback g_loopback;

int start(int* rank, int* size, int* local_rank, char* host, int) {
  *rank = *local_rank = 0;
  *size = 1;
  std::strcpy(host, "here");
  return 0;
}

int send(const void* bytes, std::size_t size, int, int) {
  const auto* first = static_cast<const std::byte*>(bytes);
  g_loopback.sent.assign(first, first + size);
  g_loopback.sent_from = bytes;
  g_loopback.through.push_back(0);
  return 0;
}

int receive(void* bytes, std::size_t, int, int) {
  std::ranges::copy(g_loopback.sent, static_cast<std::byte*>(bytes));
  g_loopback.received_at = bytes;
  g_loopback.through.push_back(1);
  return 1;
}

int completed(int* handles, int) {
  const std::vector<int> through = std::exchange(g_loopback.through, {});
  std::ranges::copy(through, handles);
  return static_cast<int>(through.size());
}

/// Sends a text and gives what arrives; `is_copied` for both messages.
std::string echo(const std::string& text, bool is_copied) {
  g_loopback = {};
  const VkgptMpi mpi{.version = kVkgptMpiVersion,
                     .start = start,
                     .send = send,
                     .receive = receive,
                     .completed = completed,
                     .describe = [](char* message, int) { *message = 0; },
                     .finish = [] {}};
  MpiCommunicator ranks(mpi, 10);
  std::string arrived(text.size(), ' ');
  ranks.exchange({Message::send(0, std::as_bytes(std::span(text))).copied(is_copied),
                  Message::receive(0, std::as_writable_bytes(std::span(arrived))).copied(is_copied)},
                 "text", Patience::kUsual);
  EXPECT_EQ(g_loopback.sent_from != text.data(), is_copied);
  EXPECT_EQ(g_loopback.received_at != arrived.data(), is_copied);
  ranks.close();
  return arrived;
}

TEST(MpiCommunicator, PassesBytesOrCopiesOfThem) {
  EXPECT_EQ(echo("where it lies", false), "where it lies");
  EXPECT_EQ(echo("by way of a copy", true), "by way of a copy");
}

}  // namespace
}  // namespace vkgpt::comm
