#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text::jinja {

/// A piece of a template.
struct Lexeme {
  enum class Kind {
    kData,           ///< text outside tags
    kBlockBegin,     ///< {%
    kBlockEnd,       ///< %}
    kVariableBegin,  ///< {{
    kVariableEnd,    ///< }}
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };

  Kind kind = Kind::kEnd;
  std::string text;  ///< of a string what it stands for
  std::int64_t integer = 0;
  double number = 0;
  int line = 1;
};

/// Cuts a template as Jinja 2 does with trim_blocks and lstrip_blocks and without keep_trailing_newline, the
/// way transformers sets them. `where` names the template in an `Error`.
std::vector<Lexeme> cut_template(std::string_view source, std::string_view where);

/// Throws an `Error` for `line` of the template `where`.
template <typename... Args>
[[noreturn]] void fail_at(std::string_view where, int line, std::format_string<Args...> format,
                          Args&&... args) {
  const std::string message = vkgpt::vformat(format.get(), std::make_format_args(args...));
  fail("{}: line {}: {}", where, line, printable(message, 300));
}

}  // namespace vkgpt::text::jinja
