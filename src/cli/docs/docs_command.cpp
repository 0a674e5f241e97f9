#include <algorithm>
#include <array>
#include <print>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/manual.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/terminal.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/docs/markdown.hpp"
#include "cli/docs/pager.hpp"

namespace vkgpt::cli {
namespace {

struct Topic {
  std::string_view name;
  std::string_view summary;
  std::string_view page;  // of `manual_pages`; empty: all of `kernel_pages`
};

constexpr std::array kTopics = {
    Topic{"theory", "The mathematics of a GPT trainer, formula by formula as the code computes it",
          "theory.md"},
    Topic{"kernels", "The GPU kernels: design, figures, ideas that were measured and rejected", ""},
    Topic{"formats", "Every file that vkgpt reads and writes, and the configuration keys", "formats.md"},
};

const Topic& find_topic(const std::string& name) {
  const auto found = std::ranges::find(kTopics, name, &Topic::name);
  if (found != kTopics.end()) return *found;
  std::vector<std::string> known;
  for (const Topic& topic : kTopics) known.emplace_back(topic.name);
  const std::string nearest = nearest_word(name, known);
  fail_usage("unknown topic '{}'{}", printable(name),
             nearest.empty() ? ": 'vkgpt docs' lists them" : vkgpt::format(": did you mean '{}'?", nearest));
}

std::string text_of(const Topic& topic) {
  std::string text;
  if (topic.page.empty()) {
    for (const ManualPage& page : kernel_pages()) text.append(text.empty() ? "" : "\n").append(page.text);
    return text;
  }
  const std::span<const ManualPage> pages = manual_pages();
  const auto page = std::ranges::find(pages, topic.page, &ManualPage::name);
  VKGPT_CHECK(page != pages.end(), "no page {}", topic.page);
  return std::string(page->text);
}

void show(const Topic& topic) {
  constexpr int kWidest = 100;  // longer lines are hard to read
  const std::string text = text_of(topic);
  if (!is_terminal(STDOUT_FILENO)) {
    std::print("{}", text);
    return;
  }
  const int columns = std::clamp(terminal_columns(STDOUT_FILENO), 40, kWidest);
  show_in_pager(render_markdown(
      text, {.colored = !is_variable_set("NO_COLOR"), .width = static_cast<std::size_t>(columns)}));
}

}  // namespace

int run_docs(std::span<const std::string> args) {
  CommandLine command(
      "docs",
      "Shows a page about the theory, the kernels or the file formats: in $PAGER on a terminal, "
      "as Markdown\notherwise. Without a topic: lists them.",
      "[TOPIC]");
  if (!command.parse(args)) return 0;
  const std::vector<std::string>& topics = command.positionals();
  if (topics.size() > 1) fail_usage("unexpected argument '{}': give one topic", printable(topics[1]));
  if (topics.size() == 1) {
    show(find_topic(topics[0]));
    return 0;
  }
  for (const Topic& topic : kTopics) std::print("{:<9}{}\n", topic.name, topic.summary);
  return 0;
}

}  // namespace vkgpt::cli
