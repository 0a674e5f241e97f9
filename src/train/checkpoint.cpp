#include "vkgpt/train/checkpoint.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gguf_import.hpp"
#include "vkgpt/model/model_directory.hpp"

namespace vkgpt::train {
namespace {

constexpr std::string_view kTemporary = ".tmp";  // being written
constexpr std::string_view kSetAside = ".old";   // being replaced or removed
constexpr const char* kLatestLink = "latest";
constexpr const char* kBestLink = "best";

/// N of "step-N<suffix>", if `path` is named so, with N as `std::to_string` writes it.
std::optional<std::uint64_t> step_of(const Path& path, std::string_view suffix = "") {
  const std::string name = path.filename().string();
  std::uint64_t step = 0;
  if (!name.starts_with("step-") || !name.ends_with(suffix)) return std::nullopt;
  const auto digits =
      std::string_view(name).substr(5, name.size() - std::min(name.size(), 5 + suffix.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return vkgpt::format("step-{}{}", step, suffix) == name ? std::optional(step) : std::nullopt;
}

bool path_exists(const Path& path) {
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type() != std::filesystem::file_type::not_found;
}

Path with_suffix(Path path, std::string_view suffix) {
  return path += suffix;
}

/// Step and directory of everything named as a checkpoint, newest first.
std::vector<std::pair<std::uint64_t, Path>> list_steps(const Path& directory) {
  std::vector<std::pair<std::uint64_t, Path>> steps;
  for (const Path& entry : list_directory(directory)) {
    if (const auto step = step_of(entry)) steps.emplace_back(*step, entry);
  }
  std::ranges::sort(steps, std::greater());
  return steps;
}

/// Whether an error says that a file is missing, is none or lies on a damaged disk, and not that it cannot be
/// read for now.
bool is_damage(const IoError& error) {
  return error.code() == ENOENT || error.code() == ENOTDIR || error.code() == EISDIR || error.code() == EIO;
}

/// `verify_checkpoint` of a checkpoint within a run, where the name must agree too. Throws `IoError` where
/// nothing tells whether it is damaged: permissions, or a limit of open files.
std::expected<Checkpoint, std::string> inspect(std::uint64_t step, const Path& directory,
                                               CheckpointCheck check) {
  try {
    const CheckpointManifest manifest = verify_checkpoint(directory, check);
    if (manifest.step != step) {
      return std::unexpected(
          vkgpt::format("{}: its manifest is that of step {}", directory.string(), manifest.step));
    }
    return Checkpoint{.directory = directory, .step = step, .val_loss = manifest.val_loss};
  } catch (const IoError& error) {
    if (!is_damage(error)) throw;
    return std::unexpected(error.what());
  } catch (const Error& error) {
    return std::unexpected(error.what());
  }
}

double rank_loss(const Checkpoint& checkpoint) {
  return checkpoint.val_loss.value_or(std::numeric_limits<double>::infinity());
}

/// Lets the symbolic link `link` name `target`, which lies beside it: a fixed path for scripts. Nothing of
/// ours reads it, so a file system without links does no harm.
void point_link(const Path& link, const Path& target) {
  const Path temporary = with_suffix(link, kTemporary);
  ::unlink(temporary.c_str());
  std::error_code error;
  if (std::filesystem::read_symlink(link, error) == target.filename()) return;
  if (::symlink(target.filename().c_str(), temporary.c_str()) == 0 &&
      ::rename(temporary.c_str(), link.c_str()) != 0) {
    ::unlink(temporary.c_str());
  }
}

/// Lets `latest` and `best` in `directory` name the newest and the best of `valid`, the newest first.
void point_links(const Path& directory, const std::vector<Checkpoint>& valid) {
  const Checkpoint& best = *std::ranges::min_element(valid, {}, rank_loss);
  point_link(directory / kLatestLink, valid.front().directory);
  if (best.val_loss) point_link(directory / kBestLink, best.directory);
}

}  // namespace

CheckpointWriter::CheckpointWriter(Path directory, FileSystem& file_system)
    : directory_(std::move(directory)), file_system_(&file_system) {}

void CheckpointWriter::write(std::string_view name, std::string_view contents) {
  write(name, [&](OutputFile& file) { file.write(contents); });
}

void CheckpointWriter::write(std::string_view name, const std::function<void(OutputFile&)>& fill) {
  VKGPT_CHECK(is_checkpoint_file_name(name) && !manifest_.files.contains(std::string(name)), "{}", name);
  Sha256 hash;
  OutputFile file(directory_ / name, *file_system_);
  file.hash_into(&hash);
  fill(file);
  file.finish();
  manifest_.files[std::string(name)] = {.bytes = file.size(), .sha256 = hash.hex()};
}

CheckpointStore::CheckpointStore(Path directory, int keep, FileSystem& file_system)
    : directory_(std::move(directory)),
      keep_(static_cast<std::size_t>(keep)),
      file_system_(&file_system),
      lock_(std::in_place, (make_directories(directory_, file_system), directory_), "training in") {
  VKGPT_CHECK(keep >= 2, "keep = {}", keep);
  clear_leftovers();
}

CheckpointStore::CheckpointStore(Path directory, StoreAccess access)
    : directory_(std::move(directory)), keep_(2), file_system_(&FileSystem::real()) {
  VKGPT_CHECK(access == StoreAccess::kRead);
  std::error_code error;
  if (!std::filesystem::is_directory(directory_, error)) {
    fail("there is no {}, where rank 0 writes checkpoints: every rank has to see it, on a shared file system",
         printable(directory_.string(), 200));
  }
}

void CheckpointStore::clear_leftovers() {
  for (const std::string_view suffix : {kTemporary, kSetAside}) {
    for (const Path& leftover : list_directory(directory_)) {
      const auto step = step_of(leftover, suffix);
      if (!step) continue;
      const Path final = directory_ / vkgpt::format("step-{}", *step);
      // Killed between setting the old one aside and renaming the new one: the new one is whole.
      if (!path_exists(final) && inspect(*step, leftover, CheckpointCheck::kContents)) {
        rename_path(leftover, final, *file_system_);
        sync_directory(directory_, *file_system_);
      } else {
        remove_tree(leftover, *file_system_);
      }
    }
  }
  for (const char* link : {kLatestLink, kBestLink})
    ::unlink(with_suffix(directory_ / link, kTemporary).c_str());
  if (const std::vector<Checkpoint> valid = list_valid(); !valid.empty()) point_links(directory_, valid);
}

std::expected<Checkpoint, std::string> CheckpointStore::save(
    std::uint64_t step, std::optional<double> val_loss, const std::function<void(CheckpointWriter&)>& write) {
  const Path final = directory_ / vkgpt::format("step-{}", step);
  const Path temporary = with_suffix(final, kTemporary);
  if (val_loss && !std::isfinite(*val_loss))
    val_loss.reset();  // JSON has no NaN; such weights are never the best

  const auto clear = [&] {
    try {
      remove_tree(temporary, *file_system_);
    } catch (const IoError& error) {
      log_warning("{}", error.what());
    }
  };
  const auto give_up = [&](std::string reason) {
    log_warning("the checkpoint of step {} is not saved, older ones are kept: {}", step, reason);
    clear();
    return std::unexpected(std::move(reason));
  };
  try {
    remove_tree(temporary, *file_system_);
    make_directories(temporary, *file_system_);
    CheckpointWriter writer(temporary, *file_system_);
    write(writer);
    writer.manifest_.step = step;
    writer.manifest_.val_loss = val_loss;
    write_file(temporary / kManifestName, manifest_to_json(writer.manifest_), *file_system_);
    sync_directory(temporary, *file_system_);
    if (const auto written = inspect(step, temporary, CheckpointCheck::kContents); !written) {
      return give_up(written.error());
    }
    publish(temporary, final);
  } catch (const IoError& error) {
    return give_up(error.what());
  } catch (...) {
    clear();
    throw;
  }
  Checkpoint saved{.directory = final, .step = step, .val_loss = val_loss};
  std::erase(damaged_, final);
  try {
    drop_old(saved);
  } catch (const IoError& error) {
    log_warning("an older checkpoint could not be removed: {}", error.what());
  }
  return saved;
}

void CheckpointStore::publish(const Path& temporary, const Path& final) {
  const Path aside = with_suffix(final, kSetAside);
  const bool replaces = path_exists(final);
  if (replaces) {
    remove_tree(aside, *file_system_);
    rename_path(final, aside, *file_system_);
  }
  try {
    rename_path(temporary, final, *file_system_);
  } catch (const IoError&) {
    // Should this fail too, opening the store brings back whichever of the two is whole.
    if (replaces) file_system_->rename(aside, final);
    throw;
  }
  sync_directory(directory_, *file_system_);
}

void CheckpointStore::discard(const Path& checkpoint) {
  // Renamed first, so that a kill halfway through cannot leave half a checkpoint under a checkpoint's name.
  const Path aside = with_suffix(checkpoint, kSetAside);
  remove_tree(aside, *file_system_);
  if (path_exists(checkpoint)) rename_path(checkpoint, aside, *file_system_);
  remove_tree(aside, *file_system_);
}

std::vector<Checkpoint> CheckpointStore::list_valid() const {
  std::vector<Checkpoint> valid;
  for (const auto& [step, path] : list_steps(directory_)) {
    if (std::ranges::contains(damaged_, path)) continue;
    if (auto checkpoint = inspect(step, path, CheckpointCheck::kSizes))
      valid.push_back(*std::move(checkpoint));
  }
  return valid;
}

void CheckpointStore::drop_old(const Checkpoint& just_saved) {
  remove_tree(with_suffix(just_saved.directory, kSetAside), *file_system_);
  const std::vector<Checkpoint> valid = list_valid();
  if (!valid.empty()) point_links(directory_, valid);
  if (valid.size() <= keep_) return;
  const Checkpoint& best = *std::ranges::min_element(valid, {}, rank_loss);
  const std::uint64_t oldest_kept = valid[keep_ - 1].step;
  for (const auto& [step, path] : list_steps(directory_)) {
    const bool kept = step >= oldest_kept || step == just_saved.step || (best.val_loss && step == best.step);
    if (!kept) discard(path);
  }
}

std::optional<Checkpoint> CheckpointStore::newest() {
  damaged_.clear();
  const auto steps = list_steps(directory_);
  for (const auto& [step, path] : steps) {
    auto checkpoint = inspect(step, path, CheckpointCheck::kContents);
    if (checkpoint) return *std::move(checkpoint);
    log_warning("skipping a checkpoint: {}", checkpoint.error());
    damaged_.push_back(path);
  }
  if (steps.empty()) return std::nullopt;
  fail("{}: none of its {} checkpoints is whole: nothing to go on from; move them away to start anew",
       printable(directory_.string(), 200), steps.size());
}

bool CheckpointStore::empty() const {
  return list_steps(directory_).empty();
}

Path find_model_directory(const Path& path) {
  if (model::is_gguf(path) && path_exists(path)) return path;
  if (path_exists(path / kManifestName)) {
    verify_checkpoint(path, CheckpointCheck::kContents);
    return path;
  }
  if (path_exists(path / kTrainerStateFile)) {
    fail("{} has no {}: the checkpoint is damaged", printable(path.string(), 200), kManifestName);
  }
  // One without weights, or with weights that cannot be read, is refused when it is read.
  for (const char* name : {model::kModelConfigFile, model::kModelWeightsFile, model::kModelIndexFile,
                           model::kAdapterConfigFile}) {
    if (path_exists(path / name)) return path;
  }
  const auto steps = list_steps(path);
  std::vector<Checkpoint> candidates;
  for (const auto& [step, directory] : steps) {
    auto checkpoint = inspect(step, directory, CheckpointCheck::kSizes);
    if (checkpoint) {
      candidates.push_back(*std::move(checkpoint));
    } else {
      log_warning("skipping a checkpoint: {}", checkpoint.error());
    }
  }
  std::ranges::stable_sort(candidates, {}, rank_loss);
  for (const Checkpoint& candidate : candidates) {
    const auto verified = inspect(candidate.step, candidate.directory, CheckpointCheck::kContents);
    if (verified) return candidate.directory;
    log_warning("skipping a checkpoint: {}", verified.error());
  }
  if (steps.empty()) {
    fail(
        "{} holds neither a model (model.safetensors) nor checkpoints (step-N); name a model or a run "
        "directory",
        path.string());
  }
  fail("{}: none of its {} checkpoints is whole; name another model or run directory", path.string(),
       steps.size());
}

}  // namespace vkgpt::train
