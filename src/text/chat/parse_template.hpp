#pragma once

#include <string>
#include <string_view>

#include "text/chat/syntax.hpp"

namespace vkgpt::text::jinja {

/// A template that is ready to be run.
struct Template {
  std::string where;  ///< names it in messages
  Statements body;
  bool marks_replies = false;  ///< it has {% generation %}
};

/// Reads a template: Jinja 2 as transformers sets it up, with loop controls and {% generation %}, without
/// what reads other templates. Throws `Error` with one line.
Template parse_template(std::string_view source, std::string_view where);

}  // namespace vkgpt::text::jinja
