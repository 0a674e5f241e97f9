#pragma once

#include <cstddef>

// What libvkgpt_mpi.so offers: the few calls of MPI that vkgpt makes, behind plain C functions, so that the
// program itself needs no MPI. All are called by one thread.

extern "C" {

inline constexpr int kVkgptMpiVersion = 1;

struct VkgptMpi {
  int version;
  /// Joins the ranks that the launcher started. 0, or a code for `describe`.
  int (*start)(int* rank, int* size, int* local_rank, char* host, int host_capacity);
  /// Begin a message of at most 2^30 bytes; a handle >= 0, or -1 with the error kept for `describe`.
  int (*send)(const void* bytes, std::size_t size, int peer, int tag);
  int (*receive)(void* bytes, std::size_t size, int peer, int tag);
  /// Handles of messages that completed since the last call, at most `capacity`; their number, or -1.
  int (*completed)(int* handles, int capacity);
  void (*describe)(char* text, int capacity);
  void (*finish)();
};

/// The one symbol that is looked up.
const VkgptMpi* vkgpt_mpi();
}
