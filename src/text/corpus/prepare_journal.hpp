#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/corpus/dataset.hpp"

namespace vkgpt::text {

/// How far a preparation has come.
struct JournalState {
  std::size_t input = 0;                          ///< the source goes on here
  std::uint64_t offset = 0;                       ///< in bytes of that input
  bool in_document = false;                       ///< the document before that place goes on there
  std::size_t split = 0;                          ///< that document's
  std::array<DatasetSplit, 2> splits;             ///< finished shards, and the counts of all
  std::array<std::uint64_t, 2> open_tokens = {};  ///< of the shards that are not finished

  friend bool operator==(const JournalState&, const JournalState&) = default;
};

/// `prepare.json`: what a killed preparation needs to go on. What it says is on the disk.
struct Journal {
  static constexpr const char* kFile = "prepare.json";

  Json settings;
  std::string tokenizer;  ///< fingerprint
  JournalState state;

  /// Nothing where there is none. Throws `Error` for a damaged one.
  static std::optional<Journal> read(const Path& directory);
  static void remove(const Path& directory);
  /// Atomically.
  void write(const Path& directory) const;
};

/// An input among the settings: path, size and when it was written; both null for standard input.
nlohmann::ordered_json input_setting(const Path& path, std::optional<std::uint64_t> bytes);

/// What differs between the settings of a data set and those asked for, as a message names it; empty:
/// nothing.
std::string settings_difference(const Json& there, const nlohmann::ordered_json& asked);

/// "train_000000.bin".
std::string shard_name(std::size_t split, std::size_t index);

/// Takes back shards from `finished` on, which were finished after the journal was written: the first of them
/// is open again, the others are removed.
void restore_shards(const Path& directory, std::size_t split, std::size_t finished);

}  // namespace vkgpt::text
