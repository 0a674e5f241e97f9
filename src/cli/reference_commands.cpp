// The manual page and the shells' completions, written from the same fields as --help.

#include <array>
#include <print>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command_walk.hpp"
#include "cli/commands.hpp"

namespace vkgpt::cli {
namespace {

void print_flags(const Command& command, const std::string& format) {
  command.run(std::array{"--help=" + format});
}

/// The names that may follow `group`'s.
std::string names_of(const CommandGroup& group) {
  std::string names;
  for (const Command& command : group.commands) names += vkgpt::format("{} ", command.name);
  return names + "help";
}

void print_bash() {
  std::print(
      "# vkgpt's completions for bash; zsh reads them after 'autoload -U bashcompinit; bashcompinit'.\n"
      "_vkgpt_flags() {{\n  case \"$1\" in\n");
  for_each_command([](const std::string& path, const Command& command) {
    std::print("    '{}') cat <<'FLAGS'\n", path);
    print_flags(command, "flags");
    std::print("FLAGS\n      ;;\n");
  });
  std::print(
      "  esac\n}}\n_vkgpt() {{\n  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} "
      "command=${{COMP_WORDS[1]}} words\n");
  for (const CommandGroup& group : command_groups()) {
    const std::string name(group.name);
    if (name == "vkgpt") {
      std::print(
          "  [ \"$COMP_CWORD\" -eq 1 ] && {{ COMPREPLY=($(compgen -W '{} version' -- \"$cur\")); return; "
          "}}\n",
          names_of(group));
      continue;
    }
    const std::string word = name.substr(name.find(' ') + 1);
    std::print(
        "  if [ \"$command\" = {0} ]; then\n    [ \"$COMP_CWORD\" -eq 2 ] && {{ COMPREPLY=($(compgen -W "
        "'{1}' "
        "-- \"$cur\")); return; }}\n    command=\"{0} ${{COMP_WORDS[2]}}\"\n  fi\n",
        word, names_of(group));
  }
  std::print("{}", R"bash(  case "$prev" in
    --*)
      words=$(_vkgpt_flags "$command" | awk -F'\t' -v f="${prev#--}" '$1 == f {gsub(/\|/, " ", $2); print $2}')
      [ -n "$words" ] && { COMPREPLY=($(compgen -W "$words" -- "$cur")); return; }
      ;;
  esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$(_vkgpt_flags "$command" | cut -f1 | sed 's/^/--/')" -- "$cur")) ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
  esac
}
complete -o filenames -F _vkgpt vkgpt
)bash");
}

void print_fish() {
  std::print("# vkgpt's completions for fish\n");
  for (const CommandGroup& group : command_groups()) {
    const std::size_t space = group.name.find(' ');
    const std::string condition =
        space == std::string_view::npos
            ? "__fish_use_subcommand"
            : vkgpt::format("__fish_seen_subcommand_from {}", group.name.substr(space + 1));
    for (const Command& command : group.commands) {
      std::print("complete -c vkgpt -n '{}' -a {} -d \"{}\"\n", condition, command.name, command.summary);
    }
  }
  for_each_command([](const std::string&, const Command& command) { print_flags(command, "fish"); });
}

}  // namespace

int run_man(std::span<const std::string> args) {
  if (!args.empty() && args[0].starts_with("--help")) {
    if (args[0] == "--help") std::print("Usage: vkgpt man\n\nPrints the manual page: vkgpt man | man -l -\n");
    return 0;
  }
  if (!args.empty()) fail_usage("unexpected argument '{}': expected 'vkgpt man'", printable(args[0]));
  std::print(
      ".TH VKGPT 1 \"\" \"vkgpt {}\" \"User Commands\"\n.SH NAME\nvkgpt \\- train and run GPTs on any GPU "
      "with "
      "Vulkan 1.3\n.SH SYNOPSIS\n.B vkgpt\n.I COMMAND\n[flags]\n.SH COMMANDS\n",
      VKGPT_VERSION);
  for_each_command([](const std::string&, const Command& command) { print_flags(command, "man"); });
  std::print(
      ".SH ENVIRONMENT\n.TP\n.B VKGPT_NAME\nThe value of the flag \\-\\-name, below what the command line "
      "says.\n"
      ".TP\n.B VKGPT_CONFIG\nThe file of \\-\\-config.\n.SH EXIT STATUS\n0 success, 1 failure, 2 wrong "
      "usage, 130 "
      "interrupted after saving.\n");
  return 0;
}

int run_completions(std::span<const std::string> args) {
  if (!args.empty() && args[0].starts_with("--help")) {
    if (args[0] == "--help") {
      std::print(
          "Usage: vkgpt completions bash|zsh|fish\n\nPrints completions, to be read by the shell: "
          "source <(vkgpt completions bash)\n");
    }
    return 0;
  }
  if (args.size() != 1) fail_usage("expected 'vkgpt completions bash|zsh|fish'");
  if (args[0] == "bash") {
    print_bash();
  } else if (args[0] == "zsh") {
    std::print("autoload -U +X bashcompinit && bashcompinit\n");
    print_bash();
  } else if (args[0] == "fish") {
    print_fish();
  } else {
    fail_usage("no completions for '{}': expected bash, zsh or fish", printable(args[0]));
  }
  return 0;
}

}  // namespace vkgpt::cli
