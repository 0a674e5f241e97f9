#pragma once

#include <span>
#include <string_view>

#include "serve/http_message.hpp"

namespace vkgpt::serve {

/// A file that is part of the program.
struct WebFile {
  std::string_view name;
  std::string_view contents;
};

/// `assets/web`: the pages with what they are made of.
std::span<const WebFile> web_files();

/// The page of that name, "chat" for chat.html, or the file at that path; 404 where there is none.
HttpResponse page(std::string_view name);
HttpResponse web_file(std::string_view path);

/// Headers of every answer.
void add_safe_headers(HttpResponse& response);

}  // namespace vkgpt::serve
