#include <algorithm>
#include <array>
#include <format>
#include <print>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/cli/command_line.hpp"
#include "vkgpt/cli/commands.hpp"
#include "vkgpt/cli/download.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

struct DataOptions {
  std::string out = "data";

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "out", .group = "Data", .help = "Directory for the text"}, self.out);
  }
};

struct Dataset {
  std::string_view name;
  std::string_view file_name;
  RemoteFile file;
};

constexpr std::array kDatasets = {
    Dataset{
        .name = "tinyshakespeare",
        .file_name = "tinyshakespeare.txt",
        .file =
            {.url =
                 "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
             .size = 1115394,
             .sha256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}},
};

const Dataset& find_dataset(const std::string& name) {
  const auto found = std::ranges::find(kDatasets, name, &Dataset::name);
  if (found != kDatasets.end()) return *found;
  std::string known;
  for (const Dataset& dataset : kDatasets)
    known += std::format("{}{}", known.empty() ? "" : ", ", dataset.name);
  fail_usage("unknown text '{}': there is {}", printable(name), known);
}

}  // namespace

int run_data(std::span<const std::string> args) {
  DataOptions options;
  CommandLine command(
      "data", "Fetches training text: 'vkgpt data get tinyshakespeare' (1.1 MB of Shakespeare).", "get NAME");
  command.add(options);
  if (!command.parse(args)) return 0;
  const std::vector<std::string>& words = command.positionals();
  if (words.size() != 2 || words[0] != "get") fail_usage("expected 'vkgpt data get NAME [--out DIR]'");
  if (options.out.empty()) fail_usage("--out is empty: give a directory");
  const Dataset& dataset = find_dataset(words[1]);
  const Path path = Path(options.out) / dataset.file_name;
  if (download(dataset.file, path)) {
    log_info("fetched {} ({} bytes)", dataset.name, dataset.file.size);
  } else {
    log_info("{} is already there", dataset.name);
  }
  std::print("{}\n", path.string());
  return 0;
}

}  // namespace vkgpt::cli
