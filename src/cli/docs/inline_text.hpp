#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vkgpt::cli {

/// A word ready for a terminal; its escape sequences end with it, so that lines may be cut between words.
struct StyledWord {
  std::string text;
  std::size_t columns = 0;
};

/// The words of a stretch of Markdown: **bold**, *emphasis*, `code` and [links](target), of which the text
/// stays. Not `colored`, there are no escape sequences and code keeps its backquotes.
std::vector<StyledWord> inline_words(std::string_view markdown, bool colored, bool bold = false);

/// Columns of `text`, a character each.
std::size_t columns_of(std::string_view text);

/// Lines of at most `width` columns where words allow it, the first after `first_indent`, the others after
/// `indent`; each with its line end.
std::string filled(const std::vector<StyledWord>& words, std::string_view first_indent,
                   std::string_view indent, std::size_t width);

/// The words on one line.
StyledWord joined(const std::vector<StyledWord>& words);

}  // namespace vkgpt::cli
