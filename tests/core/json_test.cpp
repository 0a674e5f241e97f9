#include "vkgpt/core/json.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt {
namespace {

TEST(Json, ParsesNestedDocuments) {
  const Json json = parse_json(R"({"a": [1, {"a": -2.5}], "b": {"a": "x"}})", "file");
  EXPECT_EQ(json["a"][1]["a"], -2.5);
  EXPECT_EQ(json["b"]["a"], "x");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text :
       {"", "{", "[1,", "{\"a\" 1}", "nul", "{} {}", "\"\xff\"", "[1e999]", "\"\\ud800\"", "{\"a\":1,}"}) {
    expect_error([&] { parse_json(text, "some/file"); }, "some/file: invalid JSON");
  }
}

TEST(Json, RefusesRepeatedKeysAtAnyDepth) {
  expect_error([] { parse_json(R"({"a": 1, "b": 2, "a": 3})", "f"); }, "key \"a\" appears twice");
  expect_error([] { parse_json(R"([{"x": {"a": 1, "a": 3}}])", "f"); }, "key \"a\" appears twice");
  EXPECT_NO_THROW(parse_json(R"([{"a": 1}, {"a": {"a": 2}}])", "f"));
}

TEST(Json, RefusesDeepNesting) {
  EXPECT_NO_THROW(parse_json("[[[1]]]", "f", 3));
  expect_error([] { parse_json("[[[[1]]]]", "f", 3); }, "nested deeper than 3");
  expect_error([] { parse_json(std::string(1'000'000, '['), "f"); }, "nested deeper");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  expect_error([&] { parse_json(objects, "f"); }, "nested deeper");
}

TEST(Json, QuotesHostileTextOnOneLine) {
  EXPECT_EQ(json_quoted("a\nb\x1b[31m"), R"("a\nb\u001b[31m")");
  EXPECT_EQ(json_quoted(std::string(1000, 'x')).size(), 85U);
  EXPECT_NO_THROW(json_quoted("\xff\xfe"));
}

TEST(Json, MembersAreChecked) {
  const Json json = parse_json(R"({"n": 7, "minus": -1, "half": 0.5, "s": "t"})", "f");
  EXPECT_EQ(json_unsigned(json, "n", "f", 7), 7U);
  EXPECT_EQ(json_number(json, "half", "f"), 0.5);
  EXPECT_EQ(json_string(json, "s", "f"), "t");
  expect_error([&] { json_unsigned(json, "n", "f", 6); }, "f: \"n\" must be a whole number from 0 to 6");
  expect_error([&] { json_unsigned(json, "minus", "f"); }, "\"minus\"");
  expect_error([&] { json_unsigned(json, "half", "f"); }, "\"half\"");
  expect_error([&] { json_unsigned(json, "none", "f"); }, "\"none\" is missing");
  expect_error([&] { json_number(json, "s", "f"); }, "must be a number");
  expect_error([&] { json_string(json, "n", "f"); }, "must be a string");
  expect_error([] { json_string(Json::array(), "n", "f"); }, "expected a JSON object");
}

}  // namespace
}  // namespace vkgpt
