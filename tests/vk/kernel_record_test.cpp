#include "vkgpt/vk/kernel_record.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/vk/context.hpp"

#include "gpu_context.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::vk {
namespace {

using testing::HasSubstr;

DeviceCaps some_device() {
  DeviceCaps caps;
  caps.name = "Radeon";
  caps.driver = "radv Mesa 26.1";
  caps.uuid = std::string(32, 'a');
  caps.driver_version = 7;
  return caps;
}

KernelRecord some_record() {
  return {.disabled = {{"matmul khr", {"nmse 1 exceeds 1e-7", "2026-11-21"}}},
          .measured = {{"nt f16 64x64x64", "simt 64x64x16 4x4"}},
          .tested = "2026-11-21"};
}

TEST(KernelRecord, IsReadAsItWasWritten) {
  const TempDirectory directory;
  const std::filesystem::path cache = directory / "new";
  write_kernel_record(cache, some_device(), some_record());
  const KernelRecord record = read_kernel_record(cache, some_device());
  EXPECT_EQ(record.tested, "2026-11-21");
  ASSERT_TRUE(record.disabled.contains("matmul khr"));
  EXPECT_EQ(record.disabled.at("matmul khr").reason, "nmse 1 exceeds 1e-7");
  EXPECT_EQ(record.disabled.at("matmul khr").date, "2026-11-21");
  EXPECT_EQ(record.measured, some_record().measured);

  KernelChoices choices{.matmul = Backend::kKhr};
  record.apply_to(choices);
  EXPECT_EQ(choices.measured.extract(std::string(kTestedKey)).mapped(), "2026-11-21");
  EXPECT_EQ(choices.matmul, Backend::kKhr);
  EXPECT_FALSE(choices.allows("matmul", Backend::kKhr));
  EXPECT_TRUE(choices.allows("attention", Backend::kKhr));
  EXPECT_EQ(choices.measured, some_record().measured);
}

TEST(KernelRecord, AnotherDeviceOrDriverHasItsOwn) {
  const TempDirectory directory;
  write_kernel_record(directory.path(), some_device(), some_record());
  DeviceCaps device = some_device();
  device.uuid = std::string(32, 'b');
  EXPECT_EQ(read_kernel_record(directory.path(), device).tested, "");
  device = some_device();
  device.driver_version = 8;
  EXPECT_EQ(read_kernel_record(directory.path(), device).tested, "");
  EXPECT_EQ(read_kernel_record({}, some_device()).tested, "");
}

TEST(KernelRecord, DamagedAndForeignFilesAreIgnoredWithOneLine) {
  const TempDirectory directory;
  const std::filesystem::path path = kernel_record_path(directory.path(), some_device());
  write_kernel_record(directory.path(), some_device(), some_record());
  const std::string good = read_file(path);
  const auto replaced = [&good](std::string_view from, std::string_view to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() / 2), replaced("kernels 1", "kernels 9"),
        replaced("radv Mesa 26.1", "radv Mesa 26.2"), replaced("\"2026-11-21\"", "20261121"),
        replaced("\"simt 64x64x16 4x4\"", "{}"), replaced("\"disabled\"", "\"enabled\""),
        replaced("\"measured\": {", "\"measured\": {\"x\": \"y\", \"x\": \"y\","), std::string("[]"),
        std::string(1000, '[')}) {
    SCOPED_TRACE(bad.substr(0, 200));
    write_file(path, bad);
    testing::internal::CaptureStderr();
    const KernelRecord record = read_kernel_record(directory.path(), some_device());
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(record.disabled.empty() && record.measured.empty() && record.tested.empty());
    EXPECT_THAT(log, HasSubstr("vkgpt selftest"));
    EXPECT_EQ(log.find('\n'), log.size() - 1) << log;
  }
}

TEST(KernelRecord, VerdictsAreOfTheseKernelsAndChecks) {
  const TempDirectory directory;
  const std::filesystem::path path = kernel_record_path(directory.path(), some_device());
  KernelRecord written = some_record();
  written.wrong["matmul nv"] = {"nmse 1", "2026-11-22"};
  written.failed["norm"] = {"nmse 2", "2026-11-23"};
  written.unfinished = {"out of memory", "2026-11-24"};
  write_kernel_record(directory.path(), some_device(), written);
  EXPECT_EQ(read_kernel_record(directory.path(), some_device()), written);
  nlohmann::json json = nlohmann::json::parse(read_file(path));
  for (const bool has_program : {true, false}) {  // of another version, of one before records said so
    if (has_program) {
      json["program"] = std::string(64, '0');
    } else {
      json.erase("program");
      json.erase("wrong");
    }
    write_file(path, json.dump());
    testing::internal::CaptureStderr();
    const KernelRecord record = read_kernel_record(directory.path(), some_device());
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(record, KernelRecord{.measured = some_record().measured});
  }
}

TEST(KernelRecord, SeveralProcessesUpdateIt) {
  const TempDirectory directory;
  constexpr int kWriters = 4, kUpdates = 8;
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    for (int i = 0; i < kUpdates; ++i) {
      update_kernel_record(directory.path(), some_device(), [&](KernelRecord& record) {
        record.measured[std::to_string(writer * kUpdates + i)] = "scalar";
      });
    }
    _exit(0);
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  EXPECT_EQ(read_kernel_record(directory.path(), some_device()).measured.size(),
            std::size_t{kWriters * kUpdates});
}

TEST(KernelRecord, AnUpdateThatChangesNothingWritesNothing) {
  const TempDirectory directory;
  EXPECT_EQ(update_kernel_record(directory.path(), some_device(), [](KernelRecord&) {}), KernelRecord{});
  EXPECT_FALSE(std::filesystem::exists(kernel_record_path(directory.path(), some_device())));
  const auto change = [](KernelRecord& record) { record = some_record(); };
  EXPECT_EQ(update_kernel_record({}, some_device(), change), some_record());
}

TEST(GpuKernelRecord, JoinsTheChoicesOfAContext) {
  const TempDirectory directory;
  const DeviceCaps& caps = test::shared_context().caps();
  write_kernel_record(directory.path(), caps, some_record());
  std::size_t checked = 0;
  const PhysicalDevice device =
      choose_device(test::shared_context().instance(),
                    {.device = caps.uuid,
                     .cache_dir = directory.path(),
                     .kernels = {.attention = Backend::kScalar},
                     .check = [&](const Target& seen) { checked = seen.kernels.disabled.size(); }});
  EXPECT_EQ(checked, 1U);
  EXPECT_EQ(device.kernels.attention, Backend::kScalar);
  EXPECT_FALSE(device.kernels.allows("matmul", Backend::kKhr));
  EXPECT_EQ(device.kernels.measured.size(), 2U);  // one of them is kTestedKey

  // A device that is opened again by the same process keeps its kernels.
  write_kernel_record(directory.path(), caps, {});
  const PhysicalDevice again =
      choose_device(test::shared_context().instance(), {.device = caps.uuid, .cache_dir = directory.path()});
  EXPECT_EQ(again.kernels.disabled, device.kernels.disabled);
  EXPECT_EQ(again.kernels.measured, device.kernels.measured);
}

}  // namespace
}  // namespace vkgpt::vk
