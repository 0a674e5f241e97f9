#include "text/corpus/prepare_journal.hpp"

#include <chrono>
#include <filesystem>
#include <system_error>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr std::uint64_t kJournalVersion = 1;

}  // namespace

std::optional<Journal> Journal::read(const Path& directory) {
  const Path path = directory / kFile;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  const std::string where = path.string();
  const Json json = read_json_file(path, kMaxManifestBytes);
  if (json_unsigned(json, "version", where) != kJournalVersion) {
    fail("{}: its version is not {}; use the vkgpt that wrote it", where, kJournalVersion);
  }
  Journal journal{.settings = json_member(json, "settings", where),
                  .tokenizer = json_string(json, "tokenizer", where),
                  .state = {}};
  JournalState& state = journal.state;
  state.input = json_unsigned(json, "input", where, kMaxDatasetCount);
  state.offset = json_unsigned(json, "offset", where, kMaxDatasetCount);
  const Json& in_document = json_member(json, "in_document", where);
  if (!in_document.is_boolean()) fail("{}: \"in_document\" must be true or false", where);
  state.in_document = in_document.get<bool>();
  state.split = json_unsigned(json, "split", where, 1);
  for (std::size_t i = 0; i < kSplitNames.size(); ++i) {
    const Json& split = json_member(json, kSplitNames[i], where);
    const std::string place = vkgpt::format("{}: \"{}\"", where, kSplitNames[i]);
    state.splits[i] = dataset_split_from_json(split, place);
    state.open_tokens[i] = json_unsigned(split, "open_tokens", place, UINT32_MAX);
    for (std::size_t k = 0; k < state.splits[i].shards.size(); ++k) {
      if (state.splits[i].shards[k].file != shard_name(i, k)) fail("{}: shard {} has another name", place, k);
    }
  }
  return journal;
}

void Journal::remove(const Path& directory) {
  remove_tree(directory / kFile);
}

void Journal::write(const Path& directory) const {
  nlohmann::ordered_json json = {{"version", kJournalVersion}, {"settings", settings},
                                 {"tokenizer", tokenizer},     {"input", state.input},
                                 {"offset", state.offset},     {"in_document", state.in_document},
                                 {"split", state.split}};
  for (std::size_t i = 0; i < kSplitNames.size(); ++i) {
    json[kSplitNames[i]] = to_json(state.splits[i]);
    json[kSplitNames[i]]["open_tokens"] = state.open_tokens[i];
  }
  replace_file(directory / kFile, json.dump(1) + "\n");
}

nlohmann::ordered_json input_setting(const Path& path, std::optional<std::uint64_t> bytes) {
  nlohmann::ordered_json setting = {{"path", path.string()}, {"bytes", bytes ? Json(*bytes) : Json()}};
  std::error_code error;
  const auto written = std::filesystem::last_write_time(path, error);
  if (!bytes || error) return setting;
  const auto since_1970 = std::chrono::file_clock::to_sys(written).time_since_epoch();
  setting["modified"] = std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count();
  return setting;
}

std::string settings_difference(const Json& there, const nlohmann::ordered_json& asked) {
  if (!there.is_object()) return "settings";
  const Json wanted = Json::parse(asked.dump());
  for (const auto& [key, value] : wanted.items()) {
    if (key == "inputs" || (there.contains(key) && there[key] == value)) continue;
    return "--" + key;
  }
  const Json& inputs = wanted["inputs"];
  if (!there.contains("inputs") || !there["inputs"].is_array() || there["inputs"].size() != inputs.size()) {
    return "inputs";
  }
  std::string changed;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Json before = there["inputs"][i], now = inputs[i];
    // Data sets of versions that did not note the time go on.
    if (before.is_object() && before.contains("modified") && now.contains("modified") &&
        before["modified"] != now["modified"] && changed.empty()) {
      changed = printable(now["path"].get<std::string>(), 200);
    }
    if (before.is_object()) before.erase("modified");
    now.erase("modified");
    if (before != now) return "inputs";
  }
  return changed.empty() ? "" : vkgpt::format("contents of {}, which was written to since", changed);
}

std::string shard_name(std::size_t split, std::size_t index) {
  return vkgpt::format("{}_{:06}.bin", kSplitNames[split], index);
}

void restore_shards(const Path& directory, std::size_t split, std::size_t finished) {
  std::error_code ignored;
  const auto exists = [&](const Path& path) { return std::filesystem::exists(path, ignored); };
  for (std::size_t index = finished;; ++index) {
    const Path path = directory / shard_name(split, index);
    const Path part = Path(path) += ".part";
    if (!exists(path) && !exists(part)) return;
    if (index > finished) {
      remove_tree(path);
      remove_tree(part);
    } else if (exists(path)) {
      rename_path(path, part);
    }
  }
}

}  // namespace vkgpt::text
