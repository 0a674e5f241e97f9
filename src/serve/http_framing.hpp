#pragma once

#include <string>
#include <string_view>

#include "serve/http_message.hpp"

namespace vkgpt::serve {

/// How an answer is written down.
struct Framing {
  bool is_http10 = false;
  bool is_head = false;  // the method
  bool keeps_alive = true;
  bool is_chunked = false;
};

/// Status line and headers. Decides how an answer in pieces (`is_streamed`) is framed.
std::string head_text(const HttpResponse& response, Framing& framing, bool is_streamed);
/// A piece of the body, not empty, and its end.
std::string framed_piece(std::string_view piece, const Framing& framing);
std::string_view framed_end(const Framing& framing);

}  // namespace vkgpt::serve
