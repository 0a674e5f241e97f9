#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt {

/// Expects that `run()` throws an `Error` of one line whose text contains `part`; gives the text.
template <typename Run>
std::string expect_error(Run&& run, const std::string& part) {
  try {
    run();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_THAT(text, testing::HasSubstr(part));
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << "no error; expected one with: " << part;
  return "";
}

}  // namespace vkgpt
