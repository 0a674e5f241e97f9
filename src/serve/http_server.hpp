#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/http_message.hpp"

namespace vkgpt::serve {

/// A request that is being answered.
enum class ExchangeId : std::uint64_t {};

/// What a server does. Everything is called in the thread of `HttpServer::run`.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// To be answered by `HttpServer::respond`, or `begin`, `append` and `finish`, at once or later.
  virtual void handle(ExchangeId exchange, HttpRequest request) = 0;
  /// The client left, or read too slowly; what is answered from now on goes nowhere.
  virtual void abandoned(ExchangeId exchange) = 0;
  /// About ten times a second.
  virtual void tick() {}
};

struct HttpLimits {
  std::size_t connections = 256;
  std::uint32_t header_bytes = 16 << 10;
  std::size_t body_bytes = 1 << 20;
  std::size_t unread_bytes =
      1 << 20;  // of an answer, beyond what the system buffers: then the client is left
  std::chrono::seconds request_time{10};  // from a request's first byte to its last
  std::chrono::seconds idle_time{75};     // between requests
  std::chrono::seconds write_time{30};    // without the client's taking anything
  /// What is still read, and dropped, of a request that was refused unread: a client that is writing it would
  /// not see the answer otherwise.
  std::chrono::seconds dropping_time{2};
  std::size_t dropped_bytes = 256 << 20;
};

/// An HTTP/1.1 server in one thread: coroutines over an event loop. Where connections are at their limit, a
/// new one takes the place of the one that has been quiet for longest, unless all are being answered: clients
/// that are slow shut nobody out.
class HttpServer {
 public:
  /// Listens from now on; port 0 takes a free one. Throws `Error` where the address is no address or is
  /// taken.
  HttpServer(const std::string& host, std::uint16_t port, HttpHandler& handler,
             const HttpLimits& limits = {});
  ~HttpServer();

  std::uint16_t port() const;
  std::size_t connections() const;

  /// Serves until `stop`.
  void run();

  /// The rest may be called from any thread.

  /// Calls `task` in the server's thread.
  void post(std::function<void()> task);
  void stop();
  /// Takes no new connections, and no new requests on those that there are.
  void drain();
  void respond(ExchangeId exchange, HttpResponse response);
  /// An answer in pieces.
  void begin(ExchangeId exchange, HttpResponse head);
  void append(ExchangeId exchange, std::string piece);
  void finish(ExchangeId exchange);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vkgpt::serve
