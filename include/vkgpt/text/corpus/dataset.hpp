#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::text {

inline constexpr const char* kDatasetFile = "dataset.json";
inline constexpr std::array<const char*, 2> kSplitNames = {"train", "val"};
/// The greatest count of tokens, documents or bytes that its files may name.
inline constexpr std::uint64_t kMaxDatasetCount = std::uint64_t{1} << 62;

/// The greatest size of its manifest and journal, which list inputs and shards: millions of them.
inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{1} << 30;

struct DatasetShard {
  std::string file;  ///< name in the data set's directory
  std::uint64_t tokens = 0;
  std::string sha256;
  std::string marks_sha256 = {};  ///< of the sidecar with documents and what is learned; empty: there is none

  friend bool operator==(const DatasetShard&, const DatasetShard&) = default;
};

struct DatasetSplit {
  std::uint64_t tokens = 0;
  std::uint64_t documents = 0;
  std::uint64_t bytes = 0;  ///< of text
  std::vector<DatasetShard> shards;

  friend bool operator==(const DatasetSplit&, const DatasetSplit&) = default;
};

/// What `vkgpt data prepare` made: `dataset.json` beside the shards and the tokenizer's files.
struct DatasetManifest {
  std::string tokenizer;  ///< its fingerprint
  std::int64_t vocab_size = 0;
  nlohmann::ordered_json settings;  ///< inputs with their sizes and what else decided the contents
  std::array<DatasetSplit, 2> splits;
};

/// Whether `path` is a directory with a manifest.
bool is_dataset(const Path& path);

nlohmann::ordered_json to_json(const DatasetSplit& split);
/// Throws `Error`, which begins with `where`, for anything missing or impossible.
DatasetSplit dataset_split_from_json(const Json& json, const std::string& where);

void write_dataset_manifest(const Path& directory, const DatasetManifest& manifest);
/// Throws `Error` where it is missing, damaged or contradicts itself; the shards are not looked at.
DatasetManifest read_dataset_manifest(const Path& directory);

}  // namespace vkgpt::text
