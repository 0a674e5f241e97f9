#include "serve/access.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vkgpt/core/error.hpp"

#include "serve/request_error.hpp"

namespace vkgpt::serve {
namespace {

/// "localhost:8080" without its port and the root's dot, "[::1]:8080" without the port and its brackets.
std::string_view name_of(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  host = host.substr(0, host.find(':'));
  return host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0));
}

[[noreturn]] void forbid(const std::string& message) {
  throw RequestError(403, "invalid_request_error", "forbidden", message);
}

}  // namespace

bool is_loopback(std::string_view host) {
  constexpr std::array<std::string_view, 2> kNames = {"localhost", "::1"};
  return std::ranges::contains(kNames, host) ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const unsigned char other = i < a.size() ? static_cast<unsigned char>(a[i]) : 0;
    difference |= static_cast<unsigned char>(b[i]) ^ other;
  }
  return difference == 0;
}

Access::Access(const std::string& host, std::string api_key)
    : only_loopback_(is_loopback(name_of(host)) || is_loopback(host)), api_key_(std::move(api_key)) {
  if (!only_loopback_ && api_key_.empty()) {
    fail_usage("--host {} is within reach of others: choose an --api_key that they need, or --host 127.0.0.1",
               host);
  }
}

void Access::check_origin(const HttpRequest& request) const {
  if (request.host.empty()) forbid("the request has no Host");
  if (only_loopback_ && !is_loopback(name_of(request.host))) {
    forbid("this server answers to localhost only");
  }
  if (request.origin.empty()) return;
  if (request.origin != "http://" + request.host && request.origin != "https://" + request.host) {
    forbid("requests from other origins are not allowed");
  }
}

void Access::check_key(const HttpRequest& request) const {
  if (api_key_.empty()) return;
  constexpr std::string_view kBearer = "bearer ";  // in whatever case: RFC 9110, section 11.1
  std::string_view given = request.authorization;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (std::ranges::equal(given.substr(0, kBearer.size()), kBearer, {}, lower)) {
    given.remove_prefix(kBearer.size());
  }
  if (equal_in_constant_time(given, api_key_)) return;
  throw RequestError(401, "invalid_request_error", "invalid_api_key",
                     "the API key is missing or wrong; it is sent as 'Authorization: Bearer KEY'");
}

}  // namespace vkgpt::serve
