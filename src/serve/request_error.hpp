#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace vkgpt::serve {

/// Why a request is refused, in OpenAI's words.
class RequestError : public std::runtime_error {
 public:
  RequestError(int status, std::string type, std::string code, const std::string& message,
               std::string param = {})
      : std::runtime_error(message),
        status_(status),
        type_(std::move(type)),
        code_(std::move(code)),
        param_(std::move(param)) {}

  int status() const { return status_; }
  /// The JSON body.
  std::string body() const;

 private:
  int status_;
  std::string type_, code_, param_;
};

}  // namespace vkgpt::serve
