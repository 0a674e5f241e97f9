#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vkgpt::test {

/// C++ without its comments, its preprocessor lines and the contents of its literals; lines stay lines.
std::string code_only(std::string_view source);

/// What the quoted includes of a file name, as written.
std::vector<std::string> quoted_includes(std::string_view source);

struct Function {
  std::string head;  ///< the last line before its body
  int line;          ///< of the opening brace, from 1
  int lines;         ///< of the body, both braces among them
};

/// The functions at namespace or class scope of a C++ file, found by their braces.
std::vector<Function> functions(std::string_view source);

using Graph = std::map<std::string, std::set<std::string>>;

/// The groups of nodes that reach each other (strongly connected components of two nodes or more), sorted.
std::vector<std::set<std::string>> circles(const Graph& graph);

}  // namespace vkgpt::test
