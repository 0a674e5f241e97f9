#pragma once

#include <string>
#include <string_view>

#include "serve/http_message.hpp"

namespace vkgpt::serve {

/// Whether this address is this machine's own, out of reach for others.
bool is_loopback(std::string_view host);

/// Decides who may ask. A page of another site must not reach a server on this machine through its visitor's
/// browser: what is asked by another name than the machine's own (DNS rebinding), or from another origin, is
/// refused, and no answer allows other origins (CORS).
class Access {
 public:
  /// Throws usage errors where `host` is within reach of others and there is no `api_key`.
  Access(const std::string& host, std::string api_key);

  /// Throws `RequestError`.
  void check_origin(const HttpRequest& request) const;
  /// "Authorization: Bearer KEY", where there is a key. Throws `RequestError`.
  void check_key(const HttpRequest& request) const;

 private:
  bool only_loopback_;
  std::string api_key_;
};

/// Whether they are equal, in a time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace vkgpt::serve
