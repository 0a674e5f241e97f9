#include "cli/command/help_text.hpp"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

/// "N", "X", "TEXT" or the choices; nothing for booleans.
std::string value_shape(const Field& field) {
  if (field.is_bool()) return {};
  if (!field.info.choices.empty()) return vkgpt::format(" {}", field.info.choices);
  if (std::holds_alternative<double*>(field.value)) return " X";
  return std::holds_alternative<std::string*>(field.value) ? " TEXT" : " N";
}

/// The flag and, in a column of its own, what it means.
std::string help_line(std::string_view flag, std::string_view text) {
  constexpr std::size_t kColumn = 32;
  constexpr std::size_t kWidth = 110;
  std::string lines = vkgpt::format("  {:<28}  ", flag);
  std::size_t used = lines.size();
  while (used + text.size() > kWidth) {
    const std::size_t room = kWidth > used ? kWidth - used : 0;
    const std::size_t space = text.rfind(' ', room);
    if (space != std::string_view::npos) {
      lines += text.substr(0, space);
      text.remove_prefix(space + 1);
    } else if (used == kColumn) {
      break;  // one word longer than the column
    }
    lines += "\n" + std::string(kColumn, ' ');
    used = kColumn;
  }
  return lines.append(text) + "\n";
}

std::string field_line(const Field& field) {
  std::string text(field.info.help);
  if (field.is_bool()) {
    text += vkgpt::format(" [{}]", field.default_text == "true" ? "on" : "off");
  } else if (!field.default_text.empty()) {
    text += vkgpt::format(" [{}]", printable(field.default_text));
  }
  return help_line(vkgpt::format("--{}{}", field.info.name, value_shape(field)), text);
}

/// Calls `begin_group(name)` and `flag(field)` for what a command line may say, group by group.
template <typename BeginGroup, typename Flag>
void for_each_flag(std::span<const Field> fields, BeginGroup&& begin_group, Flag&& flag) {
  std::vector<std::string_view> groups;
  for (const Field& field : fields) {
    if (!field.info.file_only && !std::ranges::contains(groups, field.info.group)) {
      groups.push_back(field.info.group);
    }
  }
  for (const std::string_view group : groups) {
    begin_group(group);
    for (const Field& field : fields) {
      if (field.info.group == group && !field.info.file_only) flag(field);
    }
  }
}

std::string plain_text(const CommandDescription& command) {
  std::string text =
      vkgpt::format("Usage: vkgpt {}{}{} [flags]\n\n{}\n", command.command,
                    command.positionals.empty() ? "" : " ", command.positionals, command.summary);
  for_each_flag(
      command.fields, [&](std::string_view group) { text += vkgpt::format("\n{}:\n", group); },
      [&](const Field& field) { text += field_line(field); });
  text += "\nConfiguration:\n";
  text += help_line("--config FILE", "JSON or YAML file with the keys above");
  text += help_line("--help", "This text");
  text +=
      "\nA flag may be written --with_underscores or --with-dashes, with its value after a space or =. "
      "Booleans\n"
      "are --flag, --no-flag or --flag false. Defaults are overridden by a preset, it by the file, the file "
      "by\n"
      "variables such as VKGPT_SEED, and those by flags.\n";
  return text;
}

/// `text` with what troff reads as its own escaped.
std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string manual(const CommandDescription& command) {
  std::string text = vkgpt::format(".SS vkgpt {} {} [flags]\n{}\n", troff(command.command),
                                   troff(command.positionals), troff(command.summary));
  for_each_flag(
      command.fields, [&](std::string_view group) { text += vkgpt::format(".PP\n{}:\n", troff(group)); },
      [&](const Field& field) {
        text +=
            vkgpt::format(".TP\n.B {}{}\n{}", troff("--"), troff(field.info.name), troff(field.info.help));
        if (!field.default_text.empty()) text += vkgpt::format(" [{}]", troff(printable(field.default_text)));
        text += "\n";
      });
  return text;
}

std::string flag_lines(const CommandDescription& command) {
  std::string text;
  for_each_flag(
      command.fields, [](std::string_view) {},
      [&](const Field& field) {
        text += vkgpt::format("{}\t{}\t{}\n", field.info.name, field.info.choices, field.info.help);
      });
  return text + "config\t\tJSON or YAML file with settings\nhelp\t\tThe command's help\n";
}

/// `text` within single quotes of the fish shell.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_lines(const CommandDescription& command) {
  std::string condition;
  for (std::size_t begin = 0; begin < command.command.size();) {
    const std::size_t end = std::min(command.command.find(' ', begin), command.command.size());
    condition += vkgpt::format("{}__fish_seen_subcommand_from {}", begin == 0 ? "" : "; and ",
                               command.command.substr(begin, end - begin));
    begin = end + 1;
  }
  std::string text;
  for_each_flag(
      command.fields, [](std::string_view) {},
      [&](const Field& field) {
        text += vkgpt::format("complete -c vkgpt -n {} -l {} -d {}", fish_quoted(condition), field.info.name,
                              fish_quoted(field.info.help));
        if (!field.info.choices.empty()) {
          std::string choices(field.info.choices);
          std::ranges::replace(choices, '|', ' ');
          text += vkgpt::format(" -x -a {}", fish_quoted(choices));
        }
        text += "\n";
      });
  return text;
}

}  // namespace

std::string help_text(const CommandDescription& command, std::string_view format) {
  if (format == "text") return plain_text(command);
  if (format == "man") return manual(command);
  if (format == "flags") return flag_lines(command);
  if (format == "fish") return fish_lines(command);
  fail_usage("--help = '{}': expected one of text|man|flags|fish", printable(format));
}

}  // namespace vkgpt::cli
