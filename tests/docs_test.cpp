// Holds what the pages of documentation say about files: every kernel that a page of shaders/docs describes,
// and every file that a page names, is there.

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace {

namespace fs = std::filesystem;

std::string read_page(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_of(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<fs::path> pages() {
  const fs::path root = vkgpt::test::source_dir();
  std::vector<fs::path> all = {root / "README.md", root / "shaders/README.md"};
  for (const char* folder : {"shaders/docs", "assets/docs"}) {
    const std::vector<fs::path> some = files_of(root / folder, ".md");
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

/// What stands between two backquotes on one line.
std::vector<std::string> code_spans(const std::string& page) {
  std::vector<std::string> spans;
  for (std::size_t at = page.find('`'); at != std::string::npos; at = page.find('`', at + 1)) {
    const std::size_t end = page.find_first_of("`\n", at + 1);
    if (end == std::string::npos) break;
    if (page[end] == '`') spans.push_back(page.substr(at + 1, end - at - 1));
    at = end;
  }
  return spans;
}

/// "src/ops/rope.cpp" and "include/rope.glsl", but no pattern and no command.
bool names_source_file(const std::string& span) {
  constexpr std::array<std::string_view, 8> kExtensions = {".comp",  ".glsl", ".cpp", ".hpp",
                                                           ".cmake", ".sh",   ".py",  ".md"};
  const bool plain = span.find_first_of(" *<>$,") == std::string::npos;
  return plain && span.contains('/') &&
         std::ranges::any_of(kExtensions, [&](std::string_view end) { return span.ends_with(end); });
}

/// Whether `name` is a file from the root, from the page's folder, or from where shaders and headers are
/// included.
bool is_there(const fs::path& page, const std::string& name) {
  const fs::path root = vkgpt::test::source_dir();
  const std::array folders = {root, page.parent_path(), root / "shaders", root / "include/vkgpt",
                              root / "src"};
  return std::ranges::any_of(folders, [&](const fs::path& folder) { return fs::exists(folder / name); });
}

/// Targets of links "[text](target)" that are files.
std::vector<std::string> link_targets(const std::string& page) {
  std::vector<std::string> targets;
  for (std::size_t at = page.find("]("); at != std::string::npos; at = page.find("](", at + 1)) {
    const std::string target = page.substr(at + 2, page.find(')', at) - at - 2);
    if (!target.starts_with('#') && !target.contains("://")) targets.push_back(target);
  }
  return targets;
}

TEST(Docs, RowsOfKernelsNameEachOnce) {
  const fs::path folder = vkgpt::test::source_dir() / "shaders";
  std::set<std::string> named;
  for (const fs::path& page : files_of(folder / "docs", ".md")) {
    const std::string text = read_page(page);
    const std::size_t table = text.find("| kernel | design | bound by | of the limit |");
    if (table == std::string::npos) continue;
    std::istringstream rows(text.substr(table, text.find("\n\n", table) - table));
    for (std::string row; std::getline(rows, row);) {
      for (const std::string& stem : code_spans(row.substr(0, row.find('|', 1)))) {
        EXPECT_TRUE(fs::exists(folder / (stem + ".comp"))) << page << " has a row of " << stem;
        EXPECT_TRUE(named.insert(stem).second) << stem << " has two rows";
      }
    }
  }
  EXPECT_GT(named.size(), 50U);
}

TEST(Docs, TheTableOfContentsNamesEveryPageOfKernels) {
  const fs::path folder = vkgpt::test::source_dir() / "shaders";
  const std::string contents = read_page(folder / "README.md");
  for (const fs::path& page : files_of(folder / "docs", ".md")) {
    const std::string link = "(docs/" + page.filename().string() + ")";
    EXPECT_TRUE(contents.contains(link)) << link;
  }
}

TEST(Docs, FilesThatPagesNameAreThere) {
  int named = 0;
  for (const fs::path& page : pages()) {
    const std::string text = read_page(page);
    ASSERT_FALSE(text.empty()) << page;
    for (const std::string& span : code_spans(text)) {
      if (!names_source_file(span)) continue;
      ++named;
      EXPECT_TRUE(is_there(page, span)) << page << " names " << span;
    }
    for (const std::string& target : link_targets(text)) {
      EXPECT_TRUE(fs::exists(page.parent_path() / target)) << page << " links to " << target;
    }
  }
  EXPECT_GT(named, 100);
}

/// "write_losses in `src/model/train_plan.cpp`": the words before " in `" that are identifiers, with the
/// file.
std::vector<std::pair<std::string, std::string>> named_parts(std::string page) {
  std::ranges::replace(page, '\n', ' ');
  std::vector<std::pair<std::string, std::string>> parts;
  for (std::size_t at = page.find(" in `"); at != std::string::npos; at = page.find(" in `", at + 1)) {
    const std::size_t begin = page.find_last_of(" (", at - 1) + 1;
    const std::size_t file = at + 5;
    std::string word = page.substr(begin, at - begin);
    std::string path = page.substr(file, page.find('`', file) - file);
    if (word.contains('_') && names_source_file(path)) parts.emplace_back(std::move(word), std::move(path));
  }
  return parts;
}

TEST(Docs, FunctionsThatPagesNameAreInTheirFiles) {
  int named = 0;
  for (const fs::path& page : pages()) {
    for (const auto& [word, path] : named_parts(read_page(page))) {
      ++named;
      EXPECT_TRUE(read_page(vkgpt::test::source_dir() / path).contains(word))
          << page << " names " << word << " in " << path;
    }
  }
  EXPECT_GT(named, 4);
}

}  // namespace
