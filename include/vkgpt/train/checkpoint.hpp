#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/directory_lock.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/train/checkpoint_manifest.hpp"

namespace vkgpt::train {

/// A checkpoint on disk: a Hugging Face model directory (`config.json`, `model.safetensors`, tokenizer files)
/// with `optimizer.safetensors`, `trainer_state.json` and `manifest.json` beside them.
struct Checkpoint {
  Path directory;
  std::uint64_t step = 0;
  /// Mean validation loss of these weights, nats per token, if they were evaluated.
  std::optional<double> val_loss;
};

/// Takes the files of one checkpoint while it is written. Each is hashed on its way and fsynced.
class CheckpointWriter {
 public:
  /// Adds a file with these contents. Throws `IoError`.
  void write(std::string_view name, std::string_view contents);
  /// Adds a file that `fill` writes; it is finished here.
  void write(std::string_view name, const std::function<void(OutputFile&)>& fill);

 private:
  friend class CheckpointStore;
  CheckpointWriter(Path directory, FileSystem& file_system);

  Path directory_;
  FileSystem* file_system_;
  CheckpointManifest manifest_;
};

/// Whether a process writes a run's checkpoints or, as one of several ranks, only reads them.
enum class StoreAccess { kWrite, kRead };

/// The checkpoints `step-N/` of one run directory, for the process that trains there.
///
/// A checkpoint appears whole or not at all: it is written as `step-N.tmp/`, every file fsynced, the manifest
/// with checksums last, then the directory; re-read and verified; renamed; the parent fsynced. Only then
/// older ones go. The newest is the highest N that verifies, the best the least loss that a manifest records;
/// the symbolic links `latest` and `best` are for people and scripts, nothing here reads them.
class CheckpointStore {
 public:
  /// Creates `directory` if needed, refuses one where another process trains, and clears what an interrupted
  /// save left: `step-N.tmp` and `step-N.old` are removed, or renamed to `step-N` when whole and otherwise
  /// lost. `keep` (>= 2) newest checkpoints stay, and the best. Throws `Error`.
  explicit CheckpointStore(Path directory, int keep = 2, FileSystem& file_system = FileSystem::real());
  /// With `kRead` nothing is created, locked or cleared: another process writes. Throws `Error` where there
  /// is no such directory.
  CheckpointStore(Path directory, StoreAccess access);
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  /// Saves what `write` gives. A failure of the disk, a full one say, is warned about, cleared away and
  /// returned as text, so that training can go on; every older checkpoint is then still there. A checkpoint
  /// of the same step is replaced. Whatever else `write` throws passes through.
  std::expected<Checkpoint, std::string> save(std::uint64_t step, std::optional<double> val_loss,
                                              const std::function<void(CheckpointWriter&)>& write);

  /// The newest checkpoint whose contents verify; a warning names each newer one and what is wrong with it.
  /// Nothing where there is none at all; throws `Error` where there are some and none is whole, and `IoError`
  /// where one cannot be read for another reason than damage.
  std::optional<Checkpoint> newest();

  /// Whether there is any checkpoint, valid or not.
  bool empty() const;

 private:
  void clear_leftovers();
  void publish(const Path& temporary, const Path& final);
  void discard(const Path& checkpoint);
  /// Those whose files have their sizes and that were not seen damaged, the newest first.
  std::vector<Checkpoint> list_valid() const;
  void drop_old(const Checkpoint& just_saved);

  Path directory_;
  std::size_t keep_;
  FileSystem* file_system_;
  std::optional<DirectoryLock> lock_;
  std::vector<Path> damaged_;
};

/// The model directory that `path` (`generate --model`) means, read-only: `path` itself when it is a
/// checkpoint or another model directory, or, for a run directory, the best of its checkpoints that verifies,
/// else the newest. Throws `Error` when the checkpoint is damaged or there is none.
Path find_model_directory(const Path& path);

}  // namespace vkgpt::train
