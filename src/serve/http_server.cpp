#include "serve/http_server.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <list>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

#include "serve/http_framing.hpp"
#include "serve/http_reading.hpp"

namespace vkgpt::serve {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using ErrorCode = boost::system::error_code;
using Parser = RequestParser;

constexpr auto kAwait = asio::use_awaitable;
constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

/// The bytes of an answer that are still to be written.
struct Exchange {
  Exchange(asio::io_context& io, beast::tcp_stream& to, const Framing& how)
      : stream(to), framing(how), changed(io, Clock::time_point::max()) {}

  void add(std::string_view bytes) {
    pending += bytes;
    changed.cancel();
  }

  beast::tcp_stream& stream;
  Framing framing;
  asio::steady_timer changed;  // cancelled when something is added
  std::string pending = {};
  bool is_begun = false;
  bool is_finished = false;
  bool is_watched = true;  // whether something to read means that the client left
};

/// Some clients send one behind a body (RFC 9112, section 2.2).
void skip_empty_line(beast::flat_buffer& buffer) {
  constexpr std::string_view kEmptyLine = "\r\n";
  const std::string_view begun(static_cast<const char*>(buffer.data().data()), buffer.size());
  if (begun.starts_with(kEmptyLine)) buffer.consume(kEmptyLine.size());
}

struct Connection {
  beast::tcp_stream& stream;
  Clock::time_point quiet_since = Clock::now();
  bool is_answered = false;  // a request is being worked on
  bool is_taking = false;    // the client takes the rest of an answer
};

}  // namespace

struct HttpServer::State {
  State(HttpHandler& to, const HttpLimits& with) : handler(to), limits(with) {}

  void listen(const std::string& host, std::uint16_t port);
  asio::awaitable<void> accept();
  asio::awaitable<void> tick();
  asio::awaitable<void> session(tcp::socket socket);
  asio::awaitable<bool> serve_one(Connection& connection, beast::flat_buffer& buffer);
  asio::awaitable<int> read(beast::tcp_stream& stream, beast::flat_buffer& buffer, Parser& parser);
  asio::awaitable<void> answer(Connection& connection, Exchange& exchange);
  asio::awaitable<void> wait(Exchange& exchange);
  asio::awaitable<void> drop_rest(beast::tcp_stream& stream);
  void make_room();
  void add_head(Exchange& exchange, const HttpResponse& response, bool is_streamed);

  /// Runs `change` on the exchange in the server's thread, if it is still there.
  template <typename Change>
  void post(ExchangeId id, Change change) {
    asio::post(io, [this, id, change = std::move(change)]() mutable {
      const auto found = exchanges.find(id);
      if (found != exchanges.end()) change(*found->second);
    });
  }

  HttpHandler& handler;
  HttpLimits limits;
  std::list<Connection> connections;
  std::atomic<std::size_t> connection_count = 0;
  std::map<ExchangeId, Exchange*> exchanges;
  std::uint64_t next_exchange = 1;
  bool is_draining = false;
  asio::io_context io{1};  // last: its end destroys the coroutines, which use the rest
  tcp::acceptor acceptor{io};
};

void HttpServer::State::listen(const std::string& host, std::uint16_t port) {
  ErrorCode error;
  const std::string bare =
      host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  const asio::ip::address address = asio::ip::make_address(bare == "localhost" ? "127.0.0.1" : bare, error);
  if (error)
    fail_usage("--host {}: give an address in numbers, such as 127.0.0.1, 0.0.0.0 or ::1", printable(host));
  const tcp::endpoint endpoint(address, port);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) fail("cannot listen on {} port {}: {}", host, port, error.message());
}

asio::awaitable<void> HttpServer::State::accept() {
  asio::steady_timer pause(io);
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kResult);
    if (!acceptor.is_open()) co_return;
    if (error) {  // no file descriptors are left
      make_room();
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(kResult);
      continue;
    }
    if (connections.size() >= limits.connections) make_room();
    if (connections.size() >= 2 * limits.connections) continue;  // all are being answered
    asio::co_spawn(io, session(std::move(socket)), asio::detached);
  }
}

/// Closes the connection that has been quiet for longest.
void HttpServer::State::make_room() {
  Connection* oldest = nullptr;
  for (Connection& connection : connections) {
    if (connection.is_answered || !connection.stream.socket().is_open()) continue;
    if (oldest == nullptr || connection.quiet_since < oldest->quiet_since) oldest = &connection;
  }
  if (oldest != nullptr) oldest->stream.close();
}

asio::awaitable<void> HttpServer::State::tick() {
  asio::steady_timer timer(io);
  for (;;) {
    timer.expires_after(std::chrono::milliseconds(100));
    co_await timer.async_wait(kResult);
    handler.tick();
  }
}

asio::awaitable<void> HttpServer::State::session(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  const auto connection = connections.insert(connections.end(), Connection{.stream = stream});
  connection_count = connections.size();
  try {
    ErrorCode ignored;
    stream.socket().set_option(tcp::no_delay(true), ignored);
    beast::flat_buffer buffer;
    while (co_await serve_one(*connection, buffer)) {
    }
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  } catch (const boost::system::system_error&) {
    // The client left.
  } catch (const std::exception& error) {
    log_error("a request failed: {}", error.what());
  }
  connections.erase(connection);
  connection_count = connections.size();
}

/// Reads a request; gives the status of the answer where it is none, or 0, and -1 where nobody is left to
/// answer.
asio::awaitable<int> HttpServer::State::read(beast::tcp_stream& stream, beast::flat_buffer& buffer,
                                             Parser& parser) {
  parser.header_limit(limits.header_bytes);
  parser.body_limit(limits.body_bytes);
  skip_empty_line(buffer);
  if (buffer.size() == 0) {
    stream.expires_after(limits.idle_time);
    auto [error, count] = co_await stream.async_read_some(buffer.prepare(4096), kResult);
    if (error) co_return -1;
    buffer.commit(count);
    skip_empty_line(buffer);
  }
  stream.expires_after(limits.request_time);
  auto [error, count] = co_await http::async_read_header(stream, buffer, parser, kResult);
  if (!error && parser.get().count(http::field::host) > 1) co_return 400;  // RFC 9112, section 3.2
  if (!error && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(stream, asio::buffer(kContinue), kAwait);
  }
  if (!error) std::tie(error, count) = co_await http::async_read(stream, buffer, parser, kResult);
  if (!error) co_return 0;
  const int status = unread_status(error);
  co_return status == 0 ? -1 : status;
}

/// Whether another request may follow.
asio::awaitable<bool> HttpServer::State::serve_one(Connection& connection, beast::flat_buffer& buffer) {
  Parser parser;
  beast::tcp_stream& stream = connection.stream;
  const int status = co_await read(stream, buffer, parser);
  if (status < 0 || is_draining) co_return false;
  Framing framing{.is_http10 = status == 0 && parser.get().version() < 11,
                  .is_head = status == 0 && parser.get().method() == http::verb::head,
                  .keeps_alive = status == 0 && parser.get().keep_alive()};
  Exchange exchange(io, stream, framing);
  const ExchangeId id{next_exchange++};
  if (status > 0) {
    add_head(exchange, unread_answer(status, limits.header_bytes, limits.body_bytes), false);
    co_await answer(connection, exchange);
    co_await drop_rest(stream);
    co_return false;
  }
  struct Entry {  // in the map for as long as this runs
    State& state;
    ExchangeId id;
    const Exchange& exchange;
    ~Entry() {
      state.exchanges.erase(id);
      if (!exchange.is_finished) state.handler.abandoned(id);
    }
  };
  exchanges[id] = &exchange;
  {
    const Entry entry{*this, id, exchange};
    connection.is_answered = true;
    handler.handle(id, request_of(parser));
    co_await answer(connection, exchange);
  }
  connection.quiet_since = Clock::now();
  co_return exchange.framing.keeps_alive && !is_draining;
}

asio::awaitable<void> HttpServer::State::answer(Connection& connection, Exchange& exchange) {
  while (!exchange.is_finished || !exchange.pending.empty()) {
    if (exchange.pending.empty()) {
      co_await wait(exchange);
      continue;
    }
    if (exchange.is_finished) {
      connection.is_answered = false;
      connection.is_taking = true;
      connection.quiet_since = Clock::now();
    }
    const std::string bytes = std::exchange(exchange.pending, {});
    exchange.stream.expires_after(limits.write_time);
    co_await asio::async_write(exchange.stream, asio::buffer(bytes), kAwait);
  }
  connection.is_answered = connection.is_taking = false;
}

/// Until there is something to write; throws where the client leaves before.
asio::awaitable<void> HttpServer::State::wait(Exchange& exchange) {
  using namespace asio::experimental::awaitable_operators;
  exchange.changed.expires_at(Clock::time_point::max());
  if (!exchange.is_watched) {
    co_await exchange.changed.async_wait(kResult);
    co_return;
  }
  tcp::socket& socket = exchange.stream.socket();
  const auto first =
      co_await (exchange.changed.async_wait(kResult) || socket.async_wait(tcp::socket::wait_read, kResult));
  if (first.index() == 0) co_return;
  char byte = 0;
  ErrorCode error;
  socket.non_blocking(true, error);
  const std::size_t count = socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
  if (error == asio::error::would_block) co_return;
  // Who writes no more may still read what is here for it.
  if ((!error || error == asio::error::eof) && !exchange.pending.empty()) co_return;
  if (error || count == 0) throw boost::system::system_error(asio::error::eof);
  exchange.is_watched = false;  // the next request is here already
}

/// To close while the client is writing would reset the connection, and its answer would be lost.
asio::awaitable<void> HttpServer::State::drop_rest(beast::tcp_stream& stream) {
  ErrorCode ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream.expires_after(limits.dropping_time);
  std::vector<char> bytes(1 << 16);
  for (std::size_t left = limits.dropped_bytes; left > 0;) {
    auto [error, count] = co_await stream.async_read_some(asio::buffer(bytes), kResult);
    if (error) co_return;
    left -= std::min(left, count);
  }
}

void HttpServer::State::add_head(Exchange& exchange, const HttpResponse& response, bool is_streamed) {
  if (exchange.is_begun) return;
  exchange.is_begun = true;
  if (is_draining) exchange.framing.keeps_alive = false;
  std::string text = head_text(response, exchange.framing, is_streamed);
  if (!is_streamed) {
    exchange.is_finished = true;
    if (!exchange.framing.is_head) text += response.body;
  }
  exchange.add(text);
}

HttpServer::HttpServer(const std::string& host, std::uint16_t port, HttpHandler& handler,
                       const HttpLimits& limits)
    : state_(std::make_unique<State>(handler, limits)) {
  state_->listen(host, port);
}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const {
  return state_->acceptor.local_endpoint().port();
}

std::size_t HttpServer::connections() const {
  return state_->connection_count;
}

void HttpServer::run() {
  asio::co_spawn(state_->io, state_->accept(), asio::detached);
  asio::co_spawn(state_->io, state_->tick(), asio::detached);
  state_->io.run();
}

void HttpServer::post(std::function<void()> task) {
  asio::post(state_->io, std::move(task));
}

void HttpServer::stop() {
  state_->io.stop();
}

void HttpServer::drain() {
  asio::post(state_->io, [state = state_.get()] {
    state->is_draining = true;
    ErrorCode ignored;
    state->acceptor.close(ignored);
    for (Connection& connection : state->connections) {
      if (!connection.is_answered && !connection.is_taking) connection.stream.close();
    }
  });
}

void HttpServer::respond(ExchangeId exchange, HttpResponse response) {
  state_->post(exchange, [state = state_.get(), response = std::move(response)](Exchange& to) {
    state->add_head(to, response, false);
  });
}

void HttpServer::begin(ExchangeId exchange, HttpResponse head) {
  state_->post(exchange, [state = state_.get(), head = std::move(head)](Exchange& to) {
    state->add_head(to, head, true);
  });
}

void HttpServer::append(ExchangeId exchange, std::string piece) {
  if (piece.empty()) return;
  state_->post(exchange, [state = state_.get(), piece = std::move(piece)](Exchange& to) {
    if (!to.is_begun || to.is_finished || to.framing.is_head) return;
    to.add(framed_piece(piece, to.framing));
    if (to.pending.size() > state->limits.unread_bytes) to.stream.close();
  });
}

void HttpServer::finish(ExchangeId exchange) {
  state_->post(exchange, [](Exchange& to) {
    if (!to.is_begun || to.is_finished) return;
    to.is_finished = true;
    to.add(framed_end(to.framing));
  });
}

}  // namespace vkgpt::serve
