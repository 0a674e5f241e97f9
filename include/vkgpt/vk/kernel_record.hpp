#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "vkgpt/vk/target.hpp"

namespace vkgpt::vk {

/// Findings about the kernels on one device with one version of its driver: by `vkgpt selftest`
/// and `vkgpt tune`. A file of the cache directory holds it. What was found right or wrong holds for the
/// program's own kernels and checks only: another version of them reads a record with nothing but `measured`.
struct KernelRecord {
  struct Failure {
    std::string reason;  // one line
    std::string date;    // "2026-11-21"

    friend bool operator==(const Failure&, const Failure&) = default;
  };
  std::map<std::string, Failure> disabled = {};      // by the last self-test of each; see `KernelChoices`
  std::map<std::string, Failure> wrong = {};         // likewise, by the tuner
  std::map<std::string, Failure> failed = {};        // what nothing can replace: "norm", "matmul scalar"
  std::map<std::string, std::string> measured = {};  // see `KernelChoices`
  std::string tested = {};  // date of the last self-test of everything that came to its end; empty = none did
  std::optional<Failure> unfinished = {};  // one that began after that and did not come to its end: why

  /// Where a self-test of everything came to its end and nothing that cannot be replaced failed,
  /// `choices.measured` says so under `kTestedKey`.
  void apply_to(KernelChoices& choices) const;

  friend bool operator==(const KernelRecord&, const KernelRecord&) = default;
};

/// The key of no work in `KernelChoices::measured`, there once a self-test of all kernels came to its end and
/// nothing failed that cannot be replaced: what is not off is right on this device with this driver. The
/// value is the self-test's date.
inline constexpr std::string_view kTestedKey = "self-test";

/// To be raised where a check's cases or bounds change, so that devices are tested anew: verdicts of older
/// checks are forgotten. Changed kernels have the same effect by themselves.
inline constexpr int kChecksVersion = 1;

/// Its file for the device and driver of `caps`.
std::filesystem::path kernel_record_path(const std::filesystem::path& cache_dir, const DeviceCaps& caps);

/// The record of the device, an empty one where there is none. A file that is damaged or of another device is
/// ignored, with one line in the log: never throws for what is on the disk. An empty `cache_dir` holds none.
KernelRecord read_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps);

/// The record as this process first read it. What a self-test beside it finds holds from the next start on: a
/// device that is lost and opened again takes the same kernels and gives the same bits.
KernelRecord first_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps);

/// Replaces it atomically; does nothing without a `cache_dir`. Throws `IoError`.
void write_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps,
                         const KernelRecord& record);

/// Reads the record, changes it and, where that made a difference, writes it, while no other process does the
/// same. Returns what it is now. Throws `IoError`.
KernelRecord update_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps,
                                  const std::function<void(KernelRecord&)>& change);

}  // namespace vkgpt::vk
