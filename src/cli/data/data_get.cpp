#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <print>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/print_path.hpp"
#include "cli/data/data_commands.hpp"
#include "cli/data/default_text.hpp"
#include "cli/data/download.hpp"
#include "cli/data/fetch_members.hpp"

namespace vkgpt::cli {
namespace {

struct GetOptions {
  std::string out = "data";

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "out", .group = "Data", .help = "Directory for the files"}, self.out);
  }
};

/// A file outside of the hub, whose size and checksum are known here.
struct PinnedFile {
  std::string_view url;
  std::uint64_t size;
  std::string_view sha256;
};

constexpr PinnedFile kShakespeare{
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt", 1115394,
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"};
constexpr PinnedFile kHellaSwag{
    "https://raw.githubusercontent.com/rowanz/hellaswag/master/data/hellaswag_val.jsonl", 12246618,
    "0aa3b88843990f3f10a97b9575c94d7b71fb2205240ba04ae4884d9e9c992588"};

constexpr PinnedFile kArc{"https://ai2-public-datasets.s3-us-west-2.amazonaws.com/arc/ARC-V1-Feb2018.zip",
                          680841265, "6d2d5ab50b2ceec6ba5f79c921be77cf2de712ea25a2b3f4fff3acc101cecfa0"};

struct DatasetFile {
  std::string_view name;
  std::string_view hub_path;  ///< below the hub's address; empty where it is pinned
  const PinnedFile* pinned = nullptr;
};

/// A zip archive, and the folder in it with the files that are wanted.
struct DatasetArchive {
  const PinnedFile* zip;
  std::string_view folder;
};

struct Dataset {
  std::string_view name;
  std::string_view summary;
  std::string_view directory;  ///< below --out; empty: in it
  std::vector<DatasetFile> files;
  std::optional<DatasetArchive> archive = {};  ///< that holds them
};

const std::vector<Dataset>& datasets() {
  static const std::vector<Dataset> all = {
      {.name = "tinyshakespeare",
       .summary = "1.1 MB of Shakespeare: --data_path",
       .directory = "",
       .files = {{"tinyshakespeare.txt", "", &kShakespeare}}},
      {.name = "tinystories",
       .summary = "2.2 GB of stories for children: 'data prepare --document_separator <|endoftext|>'",
       .directory = "tinystories",
       .files = {{"TinyStoriesV2-GPT4-valid.txt",
                  "datasets/roneneldan/TinyStories/resolve/main/TinyStoriesV2-GPT4-valid.txt"},
                 {"TinyStoriesV2-GPT4-train.txt",
                  "datasets/roneneldan/TinyStories/resolve/main/TinyStoriesV2-GPT4-train.txt"}}},
      {.name = "fineweb-edu-sample",
       .summary =
           "400 MB, 200M GPT-2 tokens of the web's educational pages: --memmap_dataset, --tokenizer gpt2",
       .directory = "fineweb-edu-sample",
       .files = {{"finewebedu_val_000000.bin",
                  "datasets/kjj0/finewebedu10B-gpt2/resolve/main/finewebedu_val_000000.bin"},
                 {"finewebedu_train_000001.bin",
                  "datasets/kjj0/finewebedu10B-gpt2/resolve/main/finewebedu_train_000001.bin"}}},
      {.name = "fineweb-sample",
       .summary = "400 MB, 200M GPT-2 tokens of web pages: --memmap_dataset, --tokenizer gpt2",
       .directory = "fineweb-sample",
       .files = {{"fineweb_val_000000.bin",
                  "datasets/kjj0/fineweb10B-gpt2/resolve/main/fineweb_val_000000.bin"},
                 {"fineweb_train_000001.bin",
                  "datasets/kjj0/fineweb10B-gpt2/resolve/main/fineweb_train_000001.bin"}}},
      {.name = "hellaswag",
       .summary = "12 MB, 10,042 questions of what happens next: 'eval --task hellaswag'",
       .directory = "",
       .files = {{"hellaswag_val.jsonl", "", &kHellaSwag}}},
      {.name = "arc_easy",
       .summary = "2,376 questions of science at school: 'eval --task arc_easy'; from an archive of 681 MB",
       .directory = "",
       .files = {{"ARC-Easy-Test.jsonl", ""}, {"ARC-Easy-Train.jsonl", ""}},
       .archive = {{.zip = &kArc, .folder = "ARC-V1-Feb2018-2/ARC-Easy/"}}},
      {.name = "arc_challenge",
       .summary = "1,172 harder ones: 'eval --task arc_challenge'; from the same archive",
       .directory = "",
       .files = {{"ARC-Challenge-Test.jsonl", ""}, {"ARC-Challenge-Train.jsonl", ""}},
       .archive = {{.zip = &kArc, .folder = "ARC-V1-Feb2018-2/ARC-Challenge/"}}},
  };
  return all;
}

const Dataset& find_dataset(const std::string& name) {
  const auto found = std::ranges::find(datasets(), name, &Dataset::name);
  if (found != datasets().end()) return *found;
  std::string known;
  for (const Dataset& dataset : datasets())
    known += vkgpt::format("{}{}", known.empty() ? "" : ", ", dataset.name);
  fail_usage("unknown data '{}': there is {}", printable(name), known);
}

/// HF_ENDPOINT names a mirror, as for Hugging Face's own tools.
std::string hub_address() {
  const char* const mirror = std::getenv("HF_ENDPOINT");
  std::string address = mirror == nullptr || *mirror == '\0' ? "https://huggingface.co" : mirror;
  while (address.ends_with('/')) address.pop_back();
  return address;
}

/// False where the file was there.
bool get_file(const DatasetFile& wanted, const Path& path) {
  const bool pinned = wanted.pinned != nullptr;
  if (!pinned && is_fetched(path)) return false;
  const RemoteFile file =
      pinned ? RemoteFile{.url = std::string(wanted.pinned->url),
                          .size = wanted.pinned->size,
                          .sha256 = std::string(wanted.pinned->sha256)}
             : ask_hub(vkgpt::format("{}/{}", hub_address(), wanted.hub_path), Path(path) += ".headers");
  ByteProgress progress;
  const bool fetched = download(file, path, [&](std::uint64_t bytes) { progress.update(bytes, file.size); });
  progress.clear();
  if (!pinned) note_checksum(path, file.sha256);
  if (fetched) log_info("fetched {} ({} bytes)", wanted.name, file.size);
  return fetched;
}

/// The same for the files of an archive. All that it has here is taken from it, so that it is fetched once.
bool get_archive(const Dataset& wanted, const Path& directory) {
  std::vector<MemberFile> members;
  for (const Dataset& dataset : datasets()) {
    if (!dataset.archive || dataset.archive->zip != wanted.archive->zip) continue;
    for (const DatasetFile& file : dataset.files) {
      members.push_back({.member = vkgpt::format("{}{}", dataset.archive->folder, file.name),
                         .path = directory / file.name});
    }
  }
  const PinnedFile& zip = *wanted.archive->zip;
  const std::string url(zip.url);
  ByteProgress progress;
  const bool fetched = fetch_members({.url = url, .size = zip.size, .sha256 = std::string(zip.sha256)},
                                     directory / url.substr(url.rfind('/') + 1), members,
                                     [&](std::uint64_t bytes) { progress.update(bytes, zip.size); });
  progress.clear();
  if (fetched) log_info("took {} files out of {} bytes, which are removed", members.size(), zip.size);
  return fetched;
}

}  // namespace

std::string default_text() {
  const Path fetched = Path("data") / "tinyshakespeare.txt";
  std::error_code ignored;
  for (const Path& path :
       {fetched, Path("data") / "jargon.txt", Path("/usr/share/doc/jargon-text/jargon.txt.gz")}) {
    if (std::filesystem::is_regular_file(path, ignored)) return path.string();
  }
  log_info("no --data_path: fetching tinyshakespeare to {}", fetched.string());
  try {
    get_file(find_dataset("tinyshakespeare").files[0], fetched);
  } catch (const Error& error) {
    if (error.exit_code() == ExitCode::kInterrupted) throw;
    fail(
        "no text is given and none could be fetched ({}): use --data_path FILE, or install the package "
        "jargon-text",
        error.what());
  }
  return fetched.string();
}

int run_data_get(std::span<const std::string> args) {
  GetOptions options;
  CommandLine command(
      "data get",
      "Fetches a known text, set of token shards or questions, checks and resumes; archives are "
      "removed when their files are out.",
      "[NAME]");
  command.add(options);
  if (!command.parse(args)) return 0;
  if (command.positionals().empty()) {
    for (const Dataset& dataset : datasets()) std::print("{:<20}{}\n", dataset.name, dataset.summary);
    return 0;
  }
  if (command.positionals().size() > 1) fail_usage("expected 'vkgpt data get NAME [--out DIR]'");
  if (options.out.empty()) fail_usage("--out is empty: give a directory");
  install_interrupt_handlers();
  const Dataset& dataset = find_dataset(command.positionals()[0]);
  const Path directory = Path(options.out) / dataset.directory;
  bool fetched = false;
  if (dataset.archive) {
    fetched = get_archive(dataset, directory);
  } else {
    for (const DatasetFile& file : dataset.files) fetched |= get_file(file, directory / file.name);
  }
  if (!fetched) log_info("{} is already there", dataset.name);
  const bool is_one = dataset.files.size() == 1 || dataset.archive;
  const Path shown = is_one ? directory / dataset.files[0].name : directory;
  print_path(shown.string());
  return 0;
}

}  // namespace vkgpt::cli
