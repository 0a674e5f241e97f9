#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vkgpt/comm/communicator.hpp"

#include "comm/mpi_api.hpp"

namespace vkgpt::comm {

/// Ranks joined by MPI. A thread of its own makes every call of it: it sleeps while nothing is in flight, and
/// between looks at what is.
class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(const VkgptMpi& mpi, double timeout_seconds);
  ~MpiCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  const std::string& host() const override { return host_; }
  Ticket post(std::vector<Message> messages, std::string what) override;
  void wait(Ticket ticket, Patience patience) override;
  void close() override;
  double processor_seconds() const override;

 private:
  using Clock = std::chrono::steady_clock;

  /// What is left of a post.
  struct Open {
    std::string what;
    std::vector<int> peers;  // one entry for each message that is not through
    Clock::time_point moved;
  };
  struct Job {
    Ticket ticket = 0;
    Message message;
    std::shared_ptr<std::byte[]> copy = {};  // what MPI sees of a message that is copied
  };

  void run();
  void start_mpi();
  /// Begins what was posted; false when the thread shall end.
  bool take_jobs(std::unique_lock<std::mutex>& lock);
  void begin(Job job);
  /// Looks at what is in flight; whether anything completed.
  bool look();
  void done(const Job& job);
  void set_error(std::string message);
  std::string engine_error() const;

  const VkgptMpi& mpi_;
  std::chrono::duration<double> timeout_;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  std::string host_;

  mutable std::mutex mutex_;
  std::condition_variable to_thread_;
  std::condition_variable to_caller_;
  bool started_ = false;
  bool stop_ = false;
  bool finish_ = false;  // with the common end of all ranks
  std::string error_;
  Ticket last_ = 0;
  std::deque<Job> posted_;
  std::map<Ticket, Open> open_;
  double processor_seconds_ = 0;

  std::map<int, Job> in_flight_;  // by handle; the thread's own
  std::vector<int> completed_;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace vkgpt::comm
