#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::serve {

/// Where a server listens.
struct ListenConfig {
  std::string host = "127.0.0.1";
  std::int64_t port = 8080;
  std::string api_key;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Server";
    visit(FieldInfo{.name = "host",
                    .group = kGroup,
                    .help = "Address to listen on; one that others reach needs --api_key"},
          self.host);
    visit(
        FieldInfo{
            .name = "port", .group = kGroup, .help = "Port; 0 takes a free one", .min = 0, .max = 65535},
        self.port);
    visit(
        FieldInfo{.name = "api_key",
                  .group = kGroup,
                  .help =
                      "What clients must send as 'Authorization: Bearer KEY'; VKGPT_API_KEY keeps it out of "
                      "lists of processes"},
        self.api_key);
  }
};

}  // namespace vkgpt::serve
