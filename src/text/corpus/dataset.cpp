#include "vkgpt/text/corpus/dataset.hpp"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::text {
namespace {

constexpr const char* kFormat = "vkgpt-dataset";
constexpr std::uint64_t kDatasetVersion = 1;
constexpr std::uint64_t kMaxShardTokens = std::uint64_t{1} << 40;  // all that a manifest can name do not wrap

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

}  // namespace

bool is_dataset(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path / kDatasetFile, ignored);
}

nlohmann::ordered_json to_json(const DatasetSplit& split) {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  for (const DatasetShard& shard : split.shards) {
    shards.push_back({{"file", shard.file}, {"tokens", shard.tokens}, {"sha256", shard.sha256}});
    if (!shard.marks_sha256.empty()) shards.back()["marks_sha256"] = shard.marks_sha256;
  }
  return {{"tokens", split.tokens},
          {"documents", split.documents},
          {"bytes", split.bytes},
          {"shards", std::move(shards)}};
}

DatasetSplit dataset_split_from_json(const Json& json, const std::string& where) {
  DatasetSplit split{.tokens = json_unsigned(json, "tokens", where, kMaxDatasetCount),
                     .documents = json_unsigned(json, "documents", where, kMaxDatasetCount),
                     .bytes = json_unsigned(json, "bytes", where, kMaxDatasetCount),
                     .shards = {}};
  const Json& shards = json_member(json, "shards", where);
  if (!shards.is_array()) fail("{}: \"shards\" must be a list", where);
  std::set<std::string> names;
  for (const Json& shard : shards) {
    split.shards.push_back({.file = json_string(shard, "file", where),
                            .tokens = json_unsigned(shard, "tokens", where, kMaxShardTokens),
                            .sha256 = json_string(shard, "sha256", where)});
    DatasetShard& added = split.shards.back();
    if (shard.contains("marks_sha256")) added.marks_sha256 = json_string(shard, "marks_sha256", where);
    if (!added.marks_sha256.empty() && !is_sha256(added.marks_sha256)) {
      fail("{}: the marks_sha256 of {} must be 64 hexadecimal digits", where, json_quoted(added.file));
    }
    if (!is_plain_name(added.file)) fail("{}: {} is no file name", where, json_quoted(added.file));
    if (!names.insert(added.file).second) fail("{}: shard {} appears twice", where, json_quoted(added.file));
    if (!is_sha256(added.sha256))
      fail("{}: the sha256 of {} must be 64 hexadecimal digits", where, json_quoted(added.file));
  }
  return split;
}

void write_dataset_manifest(const Path& directory, const DatasetManifest& manifest) {
  nlohmann::ordered_json json = {{"format", kFormat},
                                 {"version", kDatasetVersion},
                                 {"tokenizer", manifest.tokenizer},
                                 {"vocab_size", manifest.vocab_size},
                                 {"settings", manifest.settings}};
  for (std::size_t i = 0; i < kSplitNames.size(); ++i) json[kSplitNames[i]] = to_json(manifest.splits[i]);
  replace_file(directory / kDatasetFile, json.dump(1) + "\n");
}

DatasetManifest read_dataset_manifest(const Path& directory) {
  const std::string where = (directory / kDatasetFile).string();
  const Json json = read_json_file(directory / kDatasetFile, kMaxManifestBytes);
  if (json_string(json, "format", where) != kFormat) {
    fail("{}: \"format\" is not \"{}\": it is another program's file", where, kFormat);
  }
  if (const std::uint64_t version = json_unsigned(json, "version", where); version != kDatasetVersion) {
    fail("{}: its version {} is not {}; use the vkgpt that wrote it", where, version, kDatasetVersion);
  }
  DatasetManifest manifest{
      .tokenizer = json_string(json, "tokenizer", where),
      .vocab_size = static_cast<std::int64_t>(json_unsigned(json, "vocab_size", where, INT32_MAX)),
      .settings = json_member(json, "settings", where),
      .splits = {}};
  if (!is_sha256(manifest.tokenizer)) fail("{}: \"tokenizer\" must be 64 hexadecimal digits", where);
  if (manifest.vocab_size == 0) fail("{}: \"vocab_size\" is 0", where);
  for (std::size_t i = 0; i < kSplitNames.size(); ++i) {
    const std::string place = vkgpt::format("{}: \"{}\"", where, kSplitNames[i]);
    manifest.splits[i] = dataset_split_from_json(json_member(json, kSplitNames[i], where), place);
    std::uint64_t sum = 0;
    for (const DatasetShard& shard : manifest.splits[i].shards) sum += shard.tokens;
    if (sum != manifest.splits[i].tokens) {
      fail("{}: its shards have {} tokens together, not {}", place, sum, manifest.splits[i].tokens);
    }
  }
  return manifest;
}

}  // namespace vkgpt::text
