#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vkgpt::test {

/// A connection to a server on this machine, byte by byte.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  /// False where the other side has gone.
  bool send(std::string_view bytes);
  /// Reads until `end` is in what came since the last call, the other side is gone or the time is over; gives
  /// it all.
  std::string read_until(std::string_view end, std::chrono::seconds most = std::chrono::seconds(20));
  /// Everything until the other side is gone.
  std::string read_all(std::chrono::seconds most = std::chrono::seconds(20));
  /// Nothing more is sent; answers may come.
  void end_writing();
  /// Gone without a word: the other side gets a reset.
  void reset();

 private:
  int socket_;
};

/// A request with its headers; the connection is closed after it.
std::string http_get(std::string_view path, std::string_view headers = "");
std::string http_post(std::string_view path, std::string_view json, std::string_view headers = "");

/// The answer to a whole request on a connection of its own, and its parts.
std::string ask(std::uint16_t port, const std::string& request);
int status_of(const std::string& answer);
/// Without the framing of chunks.
std::string body_of(const std::string& answer);

}  // namespace vkgpt::test
