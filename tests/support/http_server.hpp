#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

namespace vkgpt::test {

struct HttpRequest {
  std::string method;
  std::string path;
  std::uint64_t range_begin = 0;  ///< of "Range: bytes=N-"
};

/// A server on the loopback interface that answers one request a connection.
class HttpServer {
 public:
  /// Gives the whole answer, headers included; called from another thread.
  using Answer = std::function<std::string(const HttpRequest&)>;

  explicit HttpServer(Answer answer);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// "http://127.0.0.1:PORT"
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void serve();

  Answer answer_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

}  // namespace vkgpt::test
