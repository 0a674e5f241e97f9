#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "cli/commands.hpp"
#include "cli/run_vkgpt.hpp"

namespace vkgpt::cli {
namespace {

/// Expects exit code 2 and this one line.
void expect_usage_error(const std::vector<std::string>& args, const std::string& message) {
  const RunResult result = run_vkgpt(args);
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "vkgpt: error: " + message + "\n");
}

TEST(Program, HelpListsEveryCommand) {
  for (const char* flag : {"--help", "help", "-h"}) {
    const RunResult result = run_vkgpt({flag});
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.err, "");
    for (const Command& command : command_groups().front().commands) {
      EXPECT_NE(result.out.find("\n  " + std::string(command.name) + " "), std::string::npos) << command.name;
    }
  }
}

TEST(Program, EveryCommandHasHelp) {
  for (const Command& command : command_groups().front().commands) {
    const std::string name(command.name);
    const RunResult result = run_vkgpt({name, "--help"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out.substr(0, 13 + name.size()), "Usage: vkgpt " + name);
    EXPECT_EQ(run_vkgpt({"help", name}).out, result.out);
  }
}

TEST(Program, RefusesWithOneLineAndExitCode2) {
  expect_usage_error({}, "no command is given: 'vkgpt --help' lists them");
  expect_usage_error({"dta"}, "unknown command 'dta': did you mean 'data'?");
  expect_usage_error({"zebra\n"}, "unknown command 'zebra\\x0a': 'vkgpt --help' lists them");
  expect_usage_error({"data"}, "no command is given: 'vkgpt data --help' lists them");
  expect_usage_error({"tokenizer", "trian"}, "unknown command 'trian': did you mean 'train'?");
  expect_usage_error(
      {"data", "get", "x"},
      "unknown data 'x': there is tinyshakespeare, tinystories, fineweb-edu-sample, fineweb-sample");
  expect_usage_error({"data", "get", "--ot", "x"}, "unknown flag --ot: did you mean --out?");
}

TEST(Program, TheManualAndTheCompletionsNameEveryFlag) {
  const std::string manual = run_vkgpt({"man"}).out;
  const std::string bash = run_vkgpt({"completions", "bash"}).out;
  const std::string fish = run_vkgpt({"completions", "fish"}).out;
  EXPECT_NE(manual.find(".SS vkgpt data prepare"), std::string::npos);
  EXPECT_NE(manual.find(".B \\-\\-learning_rate"), std::string::npos);
  EXPECT_NE(bash.find("\nlr_schedule\tcosine|"), std::string::npos);
  EXPECT_NE(fish.find("from data; and __fish_seen_subcommand_from prepare' -l document_separator"),
            std::string::npos);
  const TempDirectory directory;
  write_file(directory / "vkgpt.bash", bash);
  EXPECT_EQ(run_program_at("/bin/bash", {"-n", (directory / "vkgpt.bash").string()}).err, "");
  expect_usage_error({"completions", "tcsh"}, "no completions for 'tcsh': expected bash, zsh or fish");
}

TEST(Program, WarnsOfAVariableThatNoCommandReads) {
  const RunResult result = run_vkgpt({"data", "get", "x"}, {"VKGPT_SEDE=1"});
  EXPECT_NE(result.err.find("unknown variable VKGPT_SEDE in the environment: did you mean VKGPT_SEED?"),
            std::string::npos);
}

TEST(Program, SaysWhenItCannotDownload) {
  const TempDirectory directory;
  const RunResult result = run_vkgpt({"data", "get", "tinyshakespeare", "--out", (directory / "d").string()},
                                     {"PATH=/nonexistent"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("neither curl nor wget is installed"), std::string::npos) << result.err;
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1);
}

TEST(Program, PrintsItsVersion) {
  EXPECT_EQ(run_vkgpt({"--version"}).out, run_vkgpt({"version"}).out);
  EXPECT_EQ(run_vkgpt({"version"}).out.substr(0, 6), "vkgpt ");
}

}  // namespace
}  // namespace vkgpt::cli
