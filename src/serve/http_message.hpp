#pragma once

#include <string>
#include <utility>
#include <vector>

namespace vkgpt::serve {

struct HttpRequest {
  std::string method = {};  // "GET"
  std::string path = {};    // "/v1/models", as it was sent, without the query
  std::string query = {};
  std::string host = {};  // in small letters, as is content_type
  std::string origin = {};
  std::string authorization = {};
  std::string content_type = {};
  std::string body = {};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

}  // namespace vkgpt::serve
