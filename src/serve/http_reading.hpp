#pragma once

#include <cstddef>

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "serve/http_message.hpp"

namespace vkgpt::serve {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

/// The request that was read; takes its body.
HttpRequest request_of(RequestParser& parser);

/// The status for a request that could not be read; 0 where the client left or was too slow.
int unread_status(const boost::beast::error_code& error);

/// The answer with that status. `header_bytes` and `body_bytes` are the most that is taken.
HttpResponse unread_answer(int status, std::size_t header_bytes, std::size_t body_bytes);

}  // namespace vkgpt::serve
