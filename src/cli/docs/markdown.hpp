#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vkgpt::cli {

/// How a page is shown.
struct PageStyle {
  bool colored = true;      ///< bold, italics and colour by escape sequences
  std::size_t width = 100;  ///< columns
};

/// A page of Markdown for a terminal: headings bold, paragraphs and lists filled to the width, code as it is,
/// links as their text. A table has aligned columns where they fit, else each row becomes a list of its cells
/// under the row's first one.
std::string render_markdown(std::string_view page, const PageStyle& style);

}  // namespace vkgpt::cli
