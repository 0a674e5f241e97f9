#pragma once

#include <format>
#include <string>
#include <string_view>

namespace vkgpt {

/// `std::vformat`, compiled in one place: each file that calls it or `std::format` itself takes g++ almost
/// two seconds longer.
std::string vformat(std::string_view format, std::format_args args);

/// `std::format` by way of `vformat`.
template <typename... Args>
std::string format(std::format_string<Args...> format, Args&&... args) {
  return vkgpt::vformat(format.get(), std::make_format_args(args...));
}

}  // namespace vkgpt
