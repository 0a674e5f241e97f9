#include "serve/http_framing.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vkgpt/core/format.hpp"

namespace vkgpt::serve {
namespace {

/// RFC 9110, section 15.
constexpr std::array<std::pair<int, std::string_view>, 13> kReasons = {{
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
}};

}  // namespace

std::string head_text(const HttpResponse& response, Framing& framing, bool is_streamed) {
  framing.is_chunked = is_streamed && !framing.is_http10;
  if (is_streamed && framing.is_http10) framing.keeps_alive = false;
  const auto* reason = std::ranges::find(kReasons, response.status, &std::pair<int, std::string_view>::first);
  std::string text = vkgpt::format("HTTP/1.1 {} {}\r\n", response.status,
                                   reason == kReasons.end() ? std::string_view("Status") : reason->second);
  const auto add = [&](std::string_view name, std::string_view value) {
    text += vkgpt::format("{}: {}\r\n", name, value);
  };
  add("Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) add(name, value);
  if (framing.is_chunked) add("Transfer-Encoding", "chunked");
  if (!is_streamed) add("Content-Length", std::to_string(response.body.size()));
  add("Connection", framing.keeps_alive ? "keep-alive" : "close");
  return text + "\r\n";
}

std::string framed_piece(std::string_view piece, const Framing& framing) {
  return framing.is_chunked ? vkgpt::format("{:x}\r\n{}\r\n", piece.size(), piece) : std::string(piece);
}

std::string_view framed_end(const Framing& framing) {
  return framing.is_chunked && !framing.is_head ? "0\r\n\r\n" : "";
}

}  // namespace vkgpt::serve
