// What remains of a run when the disk fails or the process is killed at any point of a save.

#include <algorithm>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/train/checkpoint.hpp"

#include "support/faulty_file_system.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

/// Warnings are expected by the hundred here.
class Quiet {
 public:
  Quiet() { set_log_level(LogLevel::kError); }
  ~Quiet() { set_log_level(LogLevel::kInfo); }
};

std::string weights(std::uint64_t step, std::uint64_t version) {
  return vkgpt::format("{}/{} ", step, version) +
         std::string(5000 + step, static_cast<char>('a' + step % 26));
}

void write_checkpoint(CheckpointWriter& writer, std::uint64_t step, std::uint64_t version = 0) {
  writer.write("config.json", "{}");
  writer.write("model.safetensors", [&](OutputFile& file) {
    const std::string text = weights(step, version);
    model::write_safetensors(file, {{"w", DType::kU32, {static_cast<std::int64_t>(text.size() / 4)}}},
                             [&](const model::SafetensorsTensor& tensor, const model::SafetensorsSink& sink) {
                               sink(std::as_bytes(std::span(text)).first(tensor.size_bytes()));
                             });
  });
  writer.write("trainer_state.json", weights(step, version));
}

/// Whether all files of the checkpoint are those of one save of its step.
bool consistent(const Checkpoint& checkpoint, std::uint64_t versions) {
  const std::string state = read_file(checkpoint.directory / "trainer_state.json");
  const std::string model = read_file(checkpoint.directory / "model.safetensors");
  for (std::uint64_t version = 0; version < versions; ++version) {
    const std::string text = weights(checkpoint.step, version);
    if (state == text) return model.ends_with(text.substr(0, text.size() / 4 * 4));
  }
  return false;
}

/// Saves steps 1 and 2, then `step` through `file_system`; gives whether that save claimed success.
bool save_with(const Path& run, std::uint64_t step, FileSystem& file_system) {
  {
    CheckpointStore store(run);
    for (const std::uint64_t healthy : {1U, 2U}) {
      EXPECT_TRUE(
          store.save(healthy, 5.0 - healthy, [&](CheckpointWriter& w) { write_checkpoint(w, healthy); }));
    }
  }
  try {
    CheckpointStore store(run, 2, file_system);
    const bool ok =
        store.save(step, 1.0, [&](CheckpointWriter& w) { write_checkpoint(w, step, 1); }).has_value();
    return ok;
  } catch (const IoError&) {
    return false;
  }
}

TEST(CheckpointFaults, EveryFailedOperationLeavesAValidCheckpointAndAWorkingStore) {
  const Quiet quiet;
  for (const std::uint64_t step : {3U, 2U}) {  // a new step, and one that replaces a checkpoint
    FaultyFileSystem counting;
    {
      const TempDirectory temp(TempDirectory::in_memory());
      ASSERT_TRUE(save_with(temp.path(), step, counting));
      ASSERT_GT(counting.count(), 15);
    }
    for (const Fault fault : {Fault::kError, Fault::kTruncate, Fault::kCorrupt, Fault::kCrash}) {
      for (int k = 1; k <= counting.count(); ++k) {
        SCOPED_TRACE(vkgpt::format("step {}, fault {}, operation {}", step, static_cast<int>(fault), k));
        const TempDirectory temp(TempDirectory::in_memory());
        FaultyFileSystem faulty(fault, k, k % 2 == 0 ? ENOSPC : EIO);
        const bool ok = save_with(temp.path(), step, faulty);
        EXPECT_TRUE(faulty.fired());

        CheckpointStore store(temp.path());
        for (const Path& entry : list_directory(temp.path())) {
          EXPECT_NO_THROW(verify_checkpoint(entry, CheckpointCheck::kContents)) << entry;
        }
        const auto newest = store.newest();
        ASSERT_TRUE(newest);
        EXPECT_GE(newest->step, 2U);
        EXPECT_TRUE(consistent(*newest, 2));
        if (ok) {
          EXPECT_EQ(newest->step, step);
          EXPECT_EQ(newest->val_loss, 1.0) << "success was claimed for the older contents";
        }
        const auto next = store.save(4, {}, [](CheckpointWriter& w) { write_checkpoint(w, 4); });
        ASSERT_TRUE(next) << next.error();
        EXPECT_EQ(store.newest()->step, 4U);
        EXPECT_GE(list_directory(temp.path()).size(), 2U);
        for (const Path& entry : list_directory(temp.path())) EXPECT_FALSE(entry.has_extension()) << entry;
      }
    }
  }
}

TEST(CheckpointFaults, TheSameProcessGoesOnAfterAFailedSave) {
  const Quiet quiet;
  FaultyFileSystem counting;
  {
    const TempDirectory temp(TempDirectory::in_memory());
    CheckpointStore store(temp.path(), 2, counting);
    const int before = counting.count();
    ASSERT_TRUE(store.save(1, {}, [](CheckpointWriter& w) { write_checkpoint(w, 1); }));
    ASSERT_GT(counting.count(), before);
  }
  int refused = 0;
  for (int k = 1; k <= counting.count(); ++k) {
    const TempDirectory temp(TempDirectory::in_memory());
    FaultyFileSystem faulty(Fault::kError, k);
    CheckpointStore store(temp.path(), 2, faulty);
    const auto first = store.save(1, {}, [](CheckpointWriter& w) { write_checkpoint(w, 1); });
    if (!first) {
      ++refused;
      EXPECT_THAT(first.error(), testing::HasSubstr("No space left on device; free some space")) << k;
      EXPECT_FALSE(std::filesystem::exists(temp / "step-1.tmp")) << k;
    }
    ASSERT_TRUE(store.save(2, {}, [](CheckpointWriter& w) { write_checkpoint(w, 2); })) << k;
    EXPECT_EQ(store.newest()->step, 2U);
  }
  EXPECT_GT(refused, 10);
}

TEST(CheckpointFaults, AFailedReplacementLeavesTheOnlyCheckpoint) {
  const Quiet quiet;
  const auto replace = [](const Path& run, FileSystem& file_system) {
    EXPECT_TRUE(CheckpointStore(run).save(1, {}, [](CheckpointWriter& w) { write_checkpoint(w, 1); }));
    CheckpointStore store(run, 2, file_system);
    const bool ok = store.save(1, 1.0, [](CheckpointWriter& w) { write_checkpoint(w, 1, 1); }).has_value();
    const auto newest = store.newest();  // in the same process, before anything cleans up
    ASSERT_TRUE(newest);
    EXPECT_TRUE(consistent(*newest, 2));
    if (ok) {
      EXPECT_EQ(newest->val_loss, 1.0);
    }
  };
  FaultyFileSystem counting;
  replace(TempDirectory(TempDirectory::in_memory()).path(), counting);
  for (int k = 1; k <= counting.count(); ++k) {
    SCOPED_TRACE(k);
    FaultyFileSystem faulty(Fault::kError, k);
    replace(TempDirectory(TempDirectory::in_memory()).path(), faulty);
    EXPECT_TRUE(faulty.fired());
  }
}

// Saves for ever, reporting each finished step; the parent kills it.
[[noreturn]] void save_until_killed(const Path& run, int report_fd) {
  CheckpointStore store(run);
  const auto newest = store.newest();
  for (std::uint64_t step = newest ? newest->step : 1;; ++step) {
    for (std::uint64_t version = 0; version < 2; ++version) {
      const double loss = static_cast<double>(step % 5);
      if (!store.save(step, loss, [&](CheckpointWriter& w) { write_checkpoint(w, step, version); }))
        ::_exit(1);
      if (::write(report_fd, &step, sizeof step) != sizeof step) ::_exit(2);
    }
  }
}

TEST(CheckpointFaults, AKilledSaverLosesNothingItReported) {
  const TempDirectory temp(TempDirectory::in_memory());
  RngReader random({.seed = 2026});
  std::uint64_t reported = 0;
  for (int round = 0; round < 40; ++round) {
    int report[2];
    ASSERT_EQ(::pipe(report), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(report[0]);
      try {
        save_until_killed(temp.path(), report[1]);
      } catch (...) {
        ::_exit(3);
      }
    }
    ::close(report[1]);
    ::usleep(static_cast<useconds_t>(2000 + random.below(40'000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, exit " << WEXITSTATUS(status);
    for (std::uint64_t step = 0; ::read(report[0], &step, sizeof step) == sizeof step;) reported = step;
    ::close(report[0]);

    CheckpointStore store(temp.path());
    const auto newest = store.newest();
    if (reported == 0 && !newest) continue;
    ASSERT_TRUE(newest) << round;
    EXPECT_GE(newest->step, reported) << round;
    EXPECT_LE(newest->step, reported + 1) << round;
    EXPECT_TRUE(consistent(*newest, 2)) << round;
  }
  EXPECT_GT(reported, 5U) << "the child never got to save";
}

TEST(CheckpointFaults, AFullDeviceIsOneWarning) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  ASSERT_TRUE(store.save(1, {}, [](CheckpointWriter& w) { write_checkpoint(w, 1); }));
  testing::internal::CaptureStderr();
  const auto saved = store.save(2, {}, [](CheckpointWriter& w) {
    write_checkpoint(w, 2);
    OutputFile("/dev/full").write("x");
  });
  EXPECT_FALSE(saved);
  const std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_THAT(warning, testing::StartsWith("warning: the checkpoint of step 2 is not saved"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
  EXPECT_EQ(store.newest()->step, 1U);
}

}  // namespace
}  // namespace vkgpt::train
