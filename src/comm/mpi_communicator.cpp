#include "comm/mpi_communicator.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

#include "comm/mpi_library.hpp"

namespace vkgpt::comm {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLargestMessage = std::size_t{1} << 30;
constexpr auto kShortestNap = 20us;
constexpr auto kLongestNap = 400us;
constexpr auto kIdleNap = 10ms;  // sends that MPI keeps for later go on at these times
constexpr double kLongPatience = 10;

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoi(text);
}

}  // namespace

MpiCommunicator::MpiCommunicator(const VkgptMpi& mpi, double timeout_seconds)
    : mpi_(mpi), timeout_(timeout_seconds), thread_([this] { run(); }) {
  std::unique_lock lock(mutex_);
  to_caller_.wait(lock, [this] { return started_ || !error_.empty(); });
  if (error_.empty()) return;
  const std::string error = error_;
  stop_ = true;
  lock.unlock();
  thread_.join();
  fail("MPI did not start: {}", error);
}

MpiCommunicator::~MpiCommunicator() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  to_thread_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Communicator::Ticket MpiCommunicator::post(std::vector<Message> messages, std::string what) {
  const std::lock_guard lock(mutex_);
  const Ticket ticket = ++last_;
  Open open{.what = std::move(what), .peers = {}, .moved = Clock::now()};
  for (const Message& message : messages) {
    for (std::size_t first = 0; first < message.bytes.size(); first += kLargestMessage) {
      Message piece = message;
      piece.bytes = message.bytes.subspan(first, std::min(kLargestMessage, message.bytes.size() - first));
      posted_.push_back({ticket, piece});
      open.peers.push_back(message.peer);
    }
  }
  if (open.peers.empty()) return ticket;
  open_.emplace(ticket, std::move(open));
  to_thread_.notify_one();
  return ticket;
}

void MpiCommunicator::wait(Ticket ticket, Patience patience) {
  const auto limit = timeout_ * (patience == Patience::kLong ? kLongPatience : 1.0);
  std::unique_lock lock(mutex_);
  const Clock::time_point began = Clock::now();
  while (true) {
    const auto found = open_.find(ticket);
    if (found == open_.end()) return;
    if (!error_.empty()) fail("{}: {}", found->second.what, error_);
    const auto since = std::max(began, found->second.moved);
    const auto deadline = since + std::chrono::duration_cast<Clock::duration>(limit);
    if (Clock::now() >= deadline) {
      fail("{}: nothing from or to rank {} for {:.0f} s: it has stopped, or --comm_timeout is too short",
           found->second.what, found->second.peers.front(), limit.count());
    }
    to_caller_.wait_until(lock, deadline);
  }
}

void MpiCommunicator::close() {
  {
    const std::lock_guard lock(mutex_);
    finish_ = true;
    stop_ = true;
  }
  to_thread_.notify_one();
  if (thread_.joinable()) thread_.join();
}

double MpiCommunicator::processor_seconds() const {
  const std::lock_guard lock(mutex_);
  return processor_seconds_;
}

void MpiCommunicator::run() {
  start_mpi();
  auto nap = std::chrono::duration_cast<std::chrono::microseconds>(kShortestNap);
  std::unique_lock lock(mutex_);
  while (take_jobs(lock)) {
    const bool moved = look();
    nap = moved ? kShortestNap : std::min<std::chrono::microseconds>(2 * nap, kLongestNap);
    const auto pause =
        in_flight_.empty() ? std::chrono::duration_cast<std::chrono::microseconds>(kIdleNap) : nap;
    const double seconds = thread_seconds();
    lock.lock();
    processor_seconds_ = seconds;
    to_thread_.wait_for(lock, pause, [this] { return (stop_ && !finish_) || !posted_.empty(); });
  }
  lock.unlock();
  if (finish_ && error_.empty()) mpi_.finish();
}

void MpiCommunicator::start_mpi() {
  std::array<char, 256> host{};
  const int code = mpi_.start(&rank_, &size_, &local_rank_, host.data(), static_cast<int>(host.size()));
  if (code != 0) return set_error(engine_error());
  const std::lock_guard lock(mutex_);
  host_ = host.data();
  started_ = true;
  to_caller_.notify_all();
}

bool MpiCommunicator::take_jobs(std::unique_lock<std::mutex>& lock) {
  if (!error_.empty()) {
    to_thread_.wait(lock, [this] { return stop_; });
    return false;
  }
  const bool waits_for_end = finish_ && (!in_flight_.empty() || !posted_.empty());
  if (stop_ && !waits_for_end) return false;
  std::deque<Job> jobs;
  std::swap(jobs, posted_);
  lock.unlock();
  for (Job& job : jobs) begin(std::move(job));
  return true;
}

void MpiCommunicator::begin(Job job) {
  const Message& m = job.message;
  const bool sends = m.kind == Message::Kind::kSend;
  if (m.is_copied) {
    job.copy = std::make_shared_for_overwrite<std::byte[]>(m.bytes.size());
    if (sends) std::ranges::copy(m.bytes, job.copy.get());
  }
  std::byte* bytes = m.is_copied ? job.copy.get() : m.bytes.data();
  const int handle = sends ? mpi_.send(bytes, m.bytes.size(), m.peer, m.tag)
                           : mpi_.receive(bytes, m.bytes.size(), m.peer, m.tag);
  if (handle < 0) return set_error(engine_error());
  in_flight_.emplace(handle, std::move(job));
  if (completed_.size() <= static_cast<std::size_t>(handle)) completed_.resize(2 * completed_.size() + 64);
}

bool MpiCommunicator::look() {
  const int count = mpi_.completed(completed_.data(), static_cast<int>(completed_.size()));
  if (count < 0) set_error(engine_error());
  for (int i = 0; i < count; ++i) {
    const auto found = in_flight_.find(completed_[static_cast<std::size_t>(i)]);
    done(found->second);
    in_flight_.erase(found);
  }
  return count > 0;
}

void MpiCommunicator::done(const Job& job) {
  const Message& m = job.message;
  if (job.copy && m.kind == Message::Kind::kReceive) {
    std::copy_n(job.copy.get(), m.bytes.size(), m.bytes.data());
  }
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(job.ticket);
  Open& open = found->second;
  open.moved = Clock::now();
  open.peers.erase(std::ranges::find(open.peers, m.peer));
  if (!open.peers.empty()) return;
  open_.erase(found);
  to_caller_.notify_all();
}

void MpiCommunicator::set_error(std::string message) {
  const std::lock_guard lock(mutex_);
  if (error_.empty()) error_ = std::move(message);
  to_caller_.notify_all();
}

std::string MpiCommunicator::engine_error() const {
  std::array<char, 512> text{};
  mpi_.describe(text.data(), static_cast<int>(text.size()));
  return text.data();
}

bool has_launcher() {
  return number_in("OMPI_COMM_WORLD_SIZE") > 1 || number_in("PMI_SIZE") > 1 ||
         (std::getenv("PMIX_RANK") != nullptr && number_in("SLURM_STEP_NUM_TASKS") > 1);
}

std::unique_ptr<Communicator> join_ranks(double timeout_seconds) {
  return std::make_unique<MpiCommunicator>(open_mpi_library(), timeout_seconds);
}

}  // namespace vkgpt::comm
