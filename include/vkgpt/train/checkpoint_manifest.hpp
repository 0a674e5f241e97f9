#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt::train {

/// `manifest.json`: what a checkpoint directory holds. It is written last, so that a directory with a valid
/// one is complete, and it carries a checksum of itself.
struct CheckpointManifest {
  struct File {
    std::uint64_t bytes = 0;
    std::string sha256;  // 64 hexadecimal digits
    friend bool operator==(const File&, const File&) = default;
  };

  std::uint64_t step = 0;
  /// Mean validation loss of these weights, nats per token; absent when they were not evaluated.
  std::optional<double> val_loss;
  /// By plain file name, without the manifest itself.
  std::map<std::string, File> files;

  friend bool operator==(const CheckpointManifest&, const CheckpointManifest&) = default;
};

inline constexpr std::string_view kManifestName = "manifest.json";
/// What a run needs beside the weights to go on; a directory that has it is a checkpoint, not a model only.
inline constexpr const char* kTrainerStateFile = "trainer_state.json";

/// Whether `name` can be a file of a checkpoint: no directory part, not hidden, not the manifest.
bool is_checkpoint_file_name(std::string_view name);

std::string manifest_to_json(const CheckpointManifest& manifest);

/// Throws `Error`, one line that begins with `where`, unless `text` is a manifest whose own checksum holds.
CheckpointManifest manifest_from_json(std::string_view text, const std::string& where);

enum class CheckpointCheck {
  kSizes,     // the manifest, and that every file has its size: cheap
  kContents,  // also every checksum: reads everything
};

/// Checks `directory` against its manifest. Throws `Error`, one line that names the file at fault.
CheckpointManifest verify_checkpoint(const Path& directory, CheckpointCheck check);

}  // namespace vkgpt::train
