#include "support/thread_ranks.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt::test {
namespace {

class ThreadRank : public comm::Communicator {
 public:
  ThreadRank(Mailbox& mailbox, int rank, int size) : mailbox_(mailbox), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return rank_; }
  const std::string& host() const override { return host_; }

  Ticket post(std::vector<comm::Message> messages, std::string /*what*/) override {
    for (const comm::Message& message : messages) {
      if (message.kind != comm::Message::Kind::kSend) continue;
      mailbox_.put(rank_, message.peer, message.tag, {message.bytes.begin(), message.bytes.end()});
    }
    open_.emplace(++last_, std::move(messages));
    return last_;
  }
  void wait(Ticket ticket, comm::Patience /*patience*/) override {
    const auto found = open_.find(ticket);
    if (found == open_.end()) return;
    for (const comm::Message& message : found->second) {
      if (message.kind != comm::Message::Kind::kReceive) continue;
      const std::vector<std::byte> bytes = mailbox_.take(message.peer, rank_, message.tag);
      VKGPT_CHECK(bytes.size() == message.bytes.size(), "{} bytes for {}", bytes.size(),
                  message.bytes.size());
      std::ranges::copy(bytes, message.bytes.begin());
    }
    open_.erase(found);
  }
  void close() override {}
  double processor_seconds() const override { return 0; }

 private:
  Mailbox& mailbox_;
  int rank_;
  int size_;
  std::string host_ = "here";
  Ticket last_ = 0;
  std::map<Ticket, std::vector<comm::Message>> open_;
};

}  // namespace

void Mailbox::put(int from, int to, int tag, std::vector<std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  messages_[{from, to, tag}].push_back(std::move(bytes));
  changed_.notify_all();
}

std::vector<std::byte> Mailbox::take(int from, int to, int tag) {
  std::unique_lock lock(mutex_);
  auto& queue = messages_[{from, to, tag}];
  changed_.wait(lock, [&] { return closed_ || !queue.empty(); });
  if (queue.empty()) fail("rank {} has ended", from);
  std::vector<std::byte> bytes = std::move(queue.front());
  queue.pop_front();
  return bytes;
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void run_ranks(int size, const std::function<void(comm::Communicator&)>& work) {
  Mailbox mailbox;
  std::mutex mutex;
  std::exception_ptr first;
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          ThreadRank self(mailbox, rank, size);
          work(self);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
          mailbox.close();
        }
      });
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace vkgpt::test
