#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/manual.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/run_options.hpp"
#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"

namespace vkgpt::cli {
namespace {

/// Output of `vkgpt docs formats` on a terminal of 60 columns.
std::string on_terminal(const std::vector<std::string>& environment) {
  winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    for (const std::string& variable : environment) putenv(strdup(variable.c_str()));
    execl(test::program().c_str(), "vkgpt", "docs", "formats", nullptr);
    _exit(127);
  }
  std::string text;
  std::array<char, 4096> piece;
  // Linux reports the end of the other side as an error.
  for (ssize_t n = 0; (n = read(terminal, piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  std::erase(text, '\r');
  return text;
}

std::string_view page_named(std::string_view name) {
  const auto page = std::ranges::find(manual_pages(), name, &ManualPage::name);
  return page == manual_pages().end() ? std::string_view() : page->text;
}

TEST(DocsCommand, ListsTheTopicsWithALineEach) {
  const RunResult result = run_vkgpt({"docs"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 3);
  for (const char* topic : {"theory ", "kernels ", "formats "})
    EXPECT_TRUE(result.out.contains(topic)) << topic;
}

TEST(DocsCommand, PrintsThePagesAsTheyAreWhereThereIsNoTerminal) {
  for (const std::string topic : {"theory", "formats"}) {
    const RunResult result = run_vkgpt({"docs", topic}, {"PAGER=false"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, read_file(test::source_dir() / "assets/docs" / (topic + ".md")));
  }
}

TEST(DocsCommand, KernelsAreAllTheirPages) {
  const RunResult result = run_vkgpt({"docs", "kernels"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("# Kernels\n"));
  EXPECT_GT(kernel_pages().size(), 5U);
  for (const ManualPage& page : kernel_pages()) EXPECT_TRUE(result.out.contains(page.text)) << page.name;
}

TEST(DocsCommand, RefusesAnUnknownTopicWithTheNearestOne) {
  const RunResult result = run_vkgpt({"docs", "kernel"});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "vkgpt: error: unknown topic 'kernel': did you mean 'kernels'?\n");
  EXPECT_EQ(run_vkgpt({"docs", "zebra"}).err,
            "vkgpt: error: unknown topic 'zebra': 'vkgpt docs' lists them\n");
  EXPECT_EQ(run_vkgpt({"docs", "theory", "x"}).err,
            "vkgpt: error: unexpected argument 'x': give one topic\n");
}

TEST(DocsCommand, UsesThePagerOnATerminal) {
  const std::string text = on_terminal({"PAGER=sed 's/^/> /'"});
  EXPECT_TRUE(text.starts_with("> \x1b[1mFormats:")) << text.substr(0, 100);
  EXPECT_FALSE(text.contains("\n\x1b[1m1\x1b[0m"));  // every line went through it
  EXPECT_TRUE(text.contains("> \x1b[1m1\x1b[0m \x1b[1mRun\x1b[0m"));
}

TEST(DocsCommand, PrintsByItselfWhereThePagerIsMissing) {
  const std::string text = on_terminal({"PAGER=/nonexistent/pager"});
  EXPECT_TRUE(text.contains("\n\x1b[1m1\x1b[0m \x1b[1mRun\x1b[0m"));
}

TEST(DocsCommand, AReaderMayLeaveThePagerEarly) {
  EXPECT_EQ(std::ranges::count(on_terminal({"PAGER=head -n 1"}), '\n'), 1);
}

TEST(DocsCommand, HonoursNoColor) {
  const std::string text = on_terminal({"PAGER=cat", "NO_COLOR=1"});
  EXPECT_TRUE(text.starts_with("Formats:")) << text.substr(0, 100);
  EXPECT_FALSE(text.contains('\x1b'));
  EXPECT_FALSE(text.contains("```"));
}

TEST(DocsCommand, FormatsNamesEveryKeyOfTrain) {
  const std::string_view page = page_named("formats.md");
  model::GptConfig model;
  train::TrainConfig train;
  RunOptions run;
  FieldSet fields;
  fields.add(model);
  fields.add(train);
  fields.add(run);
  const std::string_view keys = page.substr(page.find("Model           vocab_size"));
  for (const Field& field : fields.fields()) {
    const std::string name(field.info.name);
    bool found = false;
    for (const char* after : {" ", ",", "\n"}) {
      for (const char* before : {" ", "\n"}) found |= keys.contains(before + name + after);
    }
    EXPECT_TRUE(found) << name;
  }
}

}  // namespace
}  // namespace vkgpt::cli
