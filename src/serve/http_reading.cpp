#include "serve/http_reading.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include "vkgpt/core/format.hpp"

#include "serve/request_error.hpp"

namespace vkgpt::serve {
namespace {

namespace http = boost::beast::http;

std::string text_of(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

/// What has no case: names of hosts, media types.
std::string lower_text_of(boost::beast::string_view view) {
  std::string text = text_of(view);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// RFC 9112, section 3.2.2: the host of a target "http://host/path" counts, and the path is the rest.
void read_absolute_form(std::string& target, std::string& host) {
  constexpr std::string_view kScheme = "http://";
  if (!target.starts_with(kScheme)) return;
  const std::size_t end = std::min(target.find_first_of("/?", kScheme.size()), target.size());
  host = lower_text_of(target.substr(kScheme.size(), end - kScheme.size()));
  target.erase(0, end);
  if (!target.starts_with('/')) target.insert(0, "/");
}

}  // namespace

HttpRequest request_of(RequestParser& parser) {
  std::string target = text_of(parser.get().target());
  std::string host = lower_text_of(parser.get()[http::field::host]);
  read_absolute_form(target, host);
  const std::size_t question = std::min(target.find('?'), target.size());
  HttpRequest request{.method = text_of(parser.get().method_string()),
                      .path = target.substr(0, question),
                      .query = target.substr(std::min(question + 1, target.size())),
                      .host = std::move(host),
                      .origin = text_of(parser.get()[http::field::origin]),
                      .authorization = text_of(parser.get()[http::field::authorization]),
                      .content_type = lower_text_of(parser.get()[http::field::content_type]),
                      .body = {}};
  request.body = std::move(parser.get().body());
  return request;
}

int unread_status(const boost::beast::error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  return error.category() == http::make_error_code(http::error::bad_method).category() ? 400 : 0;
}

HttpResponse unread_answer(int status, std::size_t header_bytes, std::size_t body_bytes) {
  const auto answer = [&](const char* code, const std::string& message) -> HttpResponse {
    return {.status = status, .body = RequestError(status, "invalid_request_error", code, message).body()};
  };
  if (status == 413) {
    return answer("request_too_large",
                  vkgpt::format("the body is larger than {} bytes, the most that is taken", body_bytes));
  }
  if (status == 431) {
    return answer(
        "headers_too_large",
        vkgpt::format("the headers are larger than {} bytes, the most that is taken", header_bytes));
  }
  return answer("invalid_request", "the request is not valid HTTP");
}

}  // namespace vkgpt::serve
