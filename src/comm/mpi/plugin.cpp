#include <algorithm>
#include <cstring>
#include <vector>

#include <mpi.h>

#include "comm/mpi_api.hpp"

namespace {

std::vector<MPI_Request> g_requests;  // by handle; MPI_REQUEST_NULL where the handle is free
std::vector<int> g_indices;           // of completed requests
int g_error = MPI_SUCCESS;
MPI_Comm g_ranks = MPI_COMM_NULL;  // of our own: nobody else's messages meet ours

int place() {
  const auto free = std::ranges::find(g_requests, MPI_REQUEST_NULL);
  if (free != g_requests.end()) return static_cast<int>(free - g_requests.begin());
  g_requests.push_back(MPI_REQUEST_NULL);
  return static_cast<int>(g_requests.size()) - 1;
}

bool ok(int code) {
  if (code != MPI_SUCCESS) g_error = code;
  return code == MPI_SUCCESS;
}

int start(int* rank, int* size, int* local_rank, char* host, int host_capacity) {
  int provided = 0;
  if (!ok(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided))) return g_error;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (!ok(MPI_Comm_dup(MPI_COMM_WORLD, &g_ranks))) return g_error;
  MPI_Comm_set_errhandler(g_ranks, MPI_ERRORS_RETURN);
  MPI_Comm node = MPI_COMM_NULL;
  if (!ok(MPI_Comm_rank(g_ranks, rank)) || !ok(MPI_Comm_size(g_ranks, size)) ||
      !ok(MPI_Comm_split_type(g_ranks, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node)) ||
      !ok(MPI_Comm_rank(node, local_rank))) {
    return g_error;
  }
  MPI_Comm_free(&node);
  char name[MPI_MAX_PROCESSOR_NAME + 1] = {};
  int length = 0;
  MPI_Get_processor_name(name, &length);
  std::strncpy(host, name, static_cast<std::size_t>(host_capacity) - 1);
  host[host_capacity - 1] = '\0';
  return 0;
}

int send(const void* bytes, std::size_t size, int peer, int tag) {
  const int handle = place();
  const bool started = ok(MPI_Isend(bytes, static_cast<int>(size), MPI_BYTE, peer, tag, g_ranks,
                                    &g_requests[static_cast<std::size_t>(handle)]));
  return started ? handle : -1;
}

int receive(void* bytes, std::size_t size, int peer, int tag) {
  const int handle = place();
  const bool started = ok(MPI_Irecv(bytes, static_cast<int>(size), MPI_BYTE, peer, tag, g_ranks,
                                    &g_requests[static_cast<std::size_t>(handle)]));
  return started ? handle : -1;
}

int completed(int* handles, int capacity) {
  const bool waits = std::ranges::any_of(g_requests, [](MPI_Request r) { return r != MPI_REQUEST_NULL; });
  if (!waits || capacity < static_cast<int>(g_requests.size())) {
    int flag = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, g_ranks, &flag, MPI_STATUS_IGNORE);  // lets earlier sends go on
    return 0;
  }
  g_indices.resize(g_requests.size());
  int done = 0;
  if (!ok(MPI_Testsome(static_cast<int>(g_requests.size()), g_requests.data(), &done, g_indices.data(),
                       MPI_STATUSES_IGNORE))) {
    return -1;
  }
  if (done == MPI_UNDEFINED) return 0;
  for (int i = 0; i < done; ++i) {
    handles[i] = g_indices[static_cast<std::size_t>(i)];
    g_requests[static_cast<std::size_t>(handles[i])] = MPI_REQUEST_NULL;
  }
  return done;
}

void describe(char* text, int capacity) {
  char message[MPI_MAX_ERROR_STRING + 1] = {};
  int length = 0;
  MPI_Error_string(g_error, message, &length);
  std::strncpy(text, message, static_cast<std::size_t>(capacity) - 1);
  text[capacity - 1] = '\0';
}

void finish() {
  MPI_Comm_free(&g_ranks);
  MPI_Finalize();
}

constexpr VkgptMpi kApi = {.version = kVkgptMpiVersion,
                           .start = start,
                           .send = send,
                           .receive = receive,
                           .completed = completed,
                           .describe = describe,
                           .finish = finish};

}  // namespace

extern "C" __attribute__((visibility("default"))) const VkgptMpi* vkgpt_mpi() {
  return &kApi;
}
