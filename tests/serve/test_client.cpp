#include "serve/test_client.hpp"

#include <cstdlib>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vkgpt/core/format.hpp"

namespace vkgpt::test {

TestClient::TestClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (socket_ < 0 || ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("no connection");
  }
}

TestClient::~TestClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool TestClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string TestClient::read_until(std::string_view end, std::chrono::seconds most) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  std::string all;
  while (end.empty() || all.find(end) == std::string::npos) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd poll{.fd = socket_, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&poll, 1, static_cast<int>(left.count())) <= 0) return all;
    char bytes[4096];
    const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
    if (count <= 0) return all;
    all.append(bytes, static_cast<std::size_t>(count));
  }
  return all;
}

std::string TestClient::read_all(std::chrono::seconds most) {
  return read_until("", most);
}

void TestClient::end_writing() {
  ::shutdown(socket_, SHUT_WR);
}

void TestClient::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  ::close(socket_);
  socket_ = -1;
}

std::string http_get(std::string_view path, std::string_view headers) {
  return vkgpt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n", path, headers);
}

std::string http_post(std::string_view path, std::string_view json, std::string_view headers) {
  return vkgpt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n{}\r\n{}",
      path, json.size(), headers, json);
}

std::string ask(std::uint16_t port, const std::string& request) {
  TestClient client(port);
  client.send(request);
  return client.read_all();
}

int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
}

std::string body_of(const std::string& answer) {
  const std::size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return {};
  std::string rest = answer.substr(head + 4);
  if (answer.find("Transfer-Encoding: chunked") > head) return rest;
  std::string body;
  while (!rest.empty()) {
    const std::size_t size = std::strtoul(rest.c_str(), nullptr, 16), start = rest.find("\r\n");
    if (size == 0 || start == std::string::npos) break;
    body += rest.substr(start + 2, size);
    rest.erase(0, start + 2 + size + 2);
  }
  return body;
}

}  // namespace vkgpt::test
