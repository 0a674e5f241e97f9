#include "serve/access.hpp"

#include <gtest/gtest.h>

#include "serve/request_error.hpp"
#include "support/expect_error.hpp"

namespace vkgpt::serve {
namespace {

int status(const Access& access, const HttpRequest& request) {
  try {
    access.check_origin(request);
    access.check_key(request);
  } catch (const RequestError& error) {
    return error.status();
  }
  return 200;
}

TEST(Access, KnowsTheMachinesOwnAddresses) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host :
       {"0.0.0.0", "192.168.0.1", "127.evil.com", "localhost.evil.com", "", "::", "127x"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(Access, RefusesOtherNamesOfThisMachine) {
  const Access access("127.0.0.1", "");
  EXPECT_EQ(status(access, {.host = "127.0.0.1:8080"}), 200);
  EXPECT_EQ(status(access, {.host = "localhost:8080"}), 200);
  EXPECT_EQ(status(access, {.host = "localhost.:8080"}), 200);
  EXPECT_EQ(status(access, {.host = "evil.com."}), 403);
  EXPECT_EQ(status(access, {.host = "[::1]:8080"}), 200);
  EXPECT_EQ(status(access, {.host = "evil.com:8080"}), 403);
  EXPECT_EQ(status(access, {.host = "127.0.0.1.evil.com"}), 403);
  EXPECT_EQ(status(access, {.host = ""}), 403);
}

TEST(Access, RefusesOtherOrigins) {
  const Access access("127.0.0.1", "");
  EXPECT_EQ(status(access, {.host = "localhost:8080", .origin = "http://localhost:8080"}), 200);
  EXPECT_EQ(status(access, {.host = "localhost:8080", .origin = "http://localhost:3000"}), 403);
  EXPECT_EQ(status(access, {.host = "localhost:8080", .origin = "https://evil.com"}), 403);
  EXPECT_EQ(status(access, {.host = "localhost:8080", .origin = "null"}), 403);
}

TEST(Access, NeedsAKeyWhereOthersReachIt) {
  for (const char* host : {"0.0.0.0", "192.168.1.2", "::"}) {
    expect_error([&] { Access(host, ""); }, "--api_key");
    EXPECT_NO_THROW(Access(host, "k")) << host;
  }
  EXPECT_NO_THROW(Access("[::1]", ""));
  const Access access("0.0.0.0", "secret");
  const auto with = [&](const char* authorization) {
    return status(access, {.host = "box.lan:80", .authorization = authorization});
  };
  EXPECT_EQ(with("Bearer secret"), 200);
  EXPECT_EQ(with("bearer secret"), 200);
  EXPECT_EQ(with("BEARER secret"), 200);
  EXPECT_EQ(with("Bearer Secret"), 401);
  EXPECT_EQ(with("Bearer secre"), 401);
  EXPECT_EQ(with("Bearer secret2"), 401);
  EXPECT_EQ(with("Bearer "), 401);
  EXPECT_EQ(with(""), 401);
}

TEST(Access, ComparesWholeKeys) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  for (const char* other : {"", "ab", "abcd", "abd", "Abc"})
    EXPECT_FALSE(equal_in_constant_time(other, "abc")) << other;
}

}  // namespace
}  // namespace vkgpt::serve
