#include "serve/web_files.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace vkgpt::serve {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
}};

std::string_view type_of(std::string_view name) {
  const auto* type =
      std::ranges::find_if(kTypes, [&](const auto& each) { return name.ends_with(each.first); });
  return type == kTypes.end() ? "application/octet-stream" : type->second;
}

HttpResponse file_named(std::string_view name) {
  const auto files = web_files();
  const auto file = std::ranges::find(files, name, &WebFile::name);
  if (file == files.end())
    return {.status = 404, .content_type = "text/plain", .body = "There is no such page.\n"};
  return {.content_type = std::string(type_of(name)), .body = std::string(file->contents)};
}

}  // namespace

HttpResponse page(std::string_view name) {
  return file_named(std::string(name) + ".html");
}

HttpResponse web_file(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return file_named(path.ends_with(".html") ? std::string_view() : path);
}

void add_safe_headers(HttpResponse& response) {
  response.headers.insert(
      response.headers.end(),
      {{"Cache-Control", "no-store"},
       {"X-Content-Type-Options", "nosniff"},
       {"X-Frame-Options", "DENY"},
       {"Referrer-Policy", "no-referrer"},
       {"Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}});
}

}  // namespace vkgpt::serve
