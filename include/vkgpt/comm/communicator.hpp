#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vkgpt::comm {

/// One message to or from another rank. The bytes stay where they are until the ticket is waited for.
struct Message {
  enum class Kind { kSend, kReceive };
  Kind kind = Kind::kSend;
  int peer = 0;
  std::span<std::byte> bytes;
  int tag = 0;
  bool is_copied = false;  // see `copied`

  static Message send(int peer, std::span<const std::byte> bytes, int tag = 0) {
    return {Kind::kSend, peer, {const_cast<std::byte*>(bytes.data()), bytes.size()}, tag};
  }
  static Message receive(int peer, std::span<std::byte> bytes, int tag = 0) {
    return {Kind::kReceive, peer, bytes, tag};
  }
  /// The same by way of a copy, for bytes that a GPU's driver mapped: transports can neither register such
  /// pages nor read them from another process (VM_PFNMAP, VM_IO).
  Message copied(bool wanted) const {
    Message message = *this;
    message.is_copied = wanted;
    return message;
  }
};

/// How long a wait may take without anything arriving.
enum class Patience {
  kUsual,  // --comm_timeout
  kLong,   // ten times as long: another rank writes files, say
};

/// The processes that train one model together, each with a device of its own. Messages between two ranks
/// with one tag match in the order in which both post them. Used by one thread.
class Communicator {
 public:
  using Ticket = std::uint64_t;

  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Rank among those of this machine.
  virtual int local_rank() const = 0;
  virtual const std::string& host() const = 0;

  /// Begins messages and returns at once. `what` names them in errors: "bucket 3".
  virtual Ticket post(std::vector<Message> messages, std::string what) = 0;
  /// Sleeps until all messages of the ticket are through. Throws `Error`, which names `what` and the peer,
  /// when nothing of them moved for too long or the engine failed.
  virtual void wait(Ticket ticket, Patience patience = Patience::kUsual) = 0;
  /// Takes part in the common end of all ranks. Without it the destructor leaves the others alone, and the
  /// launcher ends them once this process has ended.
  virtual void close() = 0;
  /// Seconds of processor time that the communication has taken.
  virtual double processor_seconds() const = 0;

  void exchange(std::vector<Message> messages, std::string what, Patience patience = Patience::kUsual) {
    wait(post(std::move(messages), std::move(what)), patience);
  }
};

/// One rank and no peers.
std::unique_ptr<Communicator> make_solo();

/// Whether mpirun or srun started this process as one of several ranks.
bool has_launcher();

/// Joins the ranks of the launcher through libvkgpt_mpi.so, which lies beside the program, in
/// ../lib/vkgpt from it or where VKGPT_MPI_PLUGIN says. `timeout_seconds` is the usual patience.
std::unique_ptr<Communicator> join_ranks(double timeout_seconds);

}  // namespace vkgpt::comm
