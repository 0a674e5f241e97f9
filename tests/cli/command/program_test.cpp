#include <algorithm>
#include <cctype>
#include <sstream>
#include <string>
#include <vector>

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
  expect_usage_error({"data", "get", "x"},
                     "unknown data 'x': there is tinyshakespeare, tinystories, fineweb-edu-sample, "
                     "fineweb-sample, hellaswag, arc_easy, arc_challenge");
  expect_usage_error({"data", "get", "--ot", "x"}, "unknown flag --ot: did you mean --out?");
}

TEST(Program, TheReadmeListsEveryCommand) {
  const std::string readme = read_file(test::source_dir() / "README.md");
  for (const Command& command : command_groups().front().commands) {
    const std::string row = "`" + std::string(command.name) + "`";
    EXPECT_TRUE(readme.contains("\n| " + row) || readme.contains(", " + row + " |")) << row;
  }
}

TEST(Program, QuotesLittleOfWhatItWasGivenAndNoControlCharacters) {
  const std::string hostile = "x\x1b[31m\xe2\x80\xae" + std::string(50000, 'y');
  const TempDirectory directory;
  const std::string config = (directory / "c.json").string();
  write_file(config, "{\"" + std::string("k\\u001b[31m\\u202e") + std::string(50000, 'z') + "\": 1}");
  const std::vector<std::vector<std::string>> lines = {
      {hostile},
      {"plan", "--" + hostile, "1"},
      {"plan", "--n_layer", hostile},
      {"plan", "--preset", hostile},
      {"plan", hostile},
      {"train", "--data_path", hostile},
      {"train", "--config", config},
      {"train", "--config", hostile},
      {"generate", "--model", hostile},
      {"chat", "--model", hostile},
      {"eval", "--model", hostile, "--data_path", hostile},
      {"export", "--model", hostile, "--out", hostile},
      {"import", hostile, "--out", hostile},
      {"data", "get", hostile},
      {"data", "prepare", hostile, "--out", hostile},
      {"data", "info", hostile},
      {"tokenizer", "train", hostile},
      {"tokenizer", "encode", hostile},
      {"tokenizer", "decode", "--text", hostile},
      {"tokenizer", "info", "--tokenizer", hostile},
      {"plot", hostile, "-o", hostile},
      {"sweep", "--config", hostile},
      {"docs", hostile},
      {"completions", hostile},
      {"bench", hostile},
  };
  for (const std::vector<std::string>& args : lines) {
    const RunResult result = run_vkgpt(args);
    EXPECT_TRUE(result.code == 1 || result.code == 2) << args[0] << ' ' << result.code;
    EXPECT_TRUE(result.err.starts_with("vkgpt: error: ")) << args[0] << ": " << result.err.substr(0, 300);
    EXPECT_LT(result.err.size(), 900U) << args[0];
    EXPECT_FALSE((result.err + result.out).contains('\x1b')) << args[0];
    EXPECT_FALSE((result.err + result.out).contains("\xe2\x80\xae")) << args[0];
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << args[0];
  }
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

TEST(Program, BashCompletesFileNamesWithSpaces) {
  const TempDirectory directory;
  write_file(directory / "vkgpt.bash", run_vkgpt({"completions", "bash"}).out);
  write_file(directory / "two words", "");
  const RunResult result = run_program_at(
      "/bin/bash", {"-c",
                    "cd \"$0\"; . ./vkgpt.bash; COMP_WORDS=(vkgpt plot two); COMP_CWORD=2; _vkgpt; "
                    "printf '<%s>' \"${COMPREPLY[@]}\"",
                    directory.path().string()});
  EXPECT_EQ(result.out, "<two words>") << result.err;
}

TEST(Program, WarnsOfAVariableThatNoCommandReads) {
  const RunResult result = run_vkgpt({"data", "get", "x"}, {"VKGPT_SEDE=1"});
  EXPECT_NE(result.err.find("unknown variable VKGPT_SEDE in the environment: did you mean VKGPT_SEED?"),
            std::string::npos);
}

TEST(Program, KnowsTheVariablesOfEveryCommand) {
  std::istringstream completions(run_vkgpt({"completions", "bash"}).out);
  std::vector<std::string> environment;
  for (std::string line; std::getline(completions, line);) {
    if (!line.contains('\t') || line.starts_with(' ')) continue;
    std::string name = "VKGPT_" + line.substr(0, line.find('\t'));
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (name != "VKGPT_CONFIG" && name != "VKGPT_HELP") environment.push_back(name + "=1");
  }
  EXPECT_TRUE(std::ranges::contains(environment, "VKGPT_API_KEY=1"));
  EXPECT_TRUE(std::ranges::contains(environment, "VKGPT_SLOTS=1"));
  EXPECT_GT(environment.size(), 150U);
  const RunResult result = run_vkgpt({"docs"}, environment);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
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
