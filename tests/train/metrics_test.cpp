#include "vkgpt/train/metrics.hpp"

#include <csignal>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vkgpt/train/metrics_csv.hpp"

#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

TEST(MetricsLog, WritesOneLineAtOnce) {
  const TempDirectory directory;
  MetricsLog log(directory / "metrics.jsonl", 0);
  log.write({{"step", 1}, {"loss", 4.25}});
  EXPECT_EQ(read_file(directory / "metrics.jsonl"), "{\"step\":1,\"loss\":4.25}\n");
  log.write({{"step", 2}, {"loss", std::numeric_limits<double>::quiet_NaN()}, {"text", "a\nb\xff"}});
  EXPECT_EQ(read_file(directory / "metrics.jsonl"),
            "{\"step\":1,\"loss\":4.25}\n{\"step\":2,\"loss\":null,\"text\":\"a\\nb\xef\xbf\xbd\"}\n");
}

TEST(MetricsLog, ResumedRunHasNoStepTwice) {
  const TempDirectory directory;
  const Path path = directory / "metrics.jsonl";
  write_file(
      path,
      "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\nnot json\n{\"loss\":1}\n{\"step\":2,\"val_loss\":1}\n{\"st");
  {
    MetricsLog log(path, 2);
    log.write({{"step", 3}});
  }
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n{\"step\":2,\"val_loss\":1}\n{\"step\":3}\n");
  MetricsLog again(path, 0);
  EXPECT_EQ(read_file(path), "");
}

TEST(MetricsLog, GoesOnInALogOfAnySize) {
  // A hole in the file, cut into lines that are no records.
  constexpr std::uint64_t kHole = (std::uint64_t{1} << 30) + 1;
  constexpr std::uint64_t kLine = std::uint64_t{4} << 20;
  const TempDirectory directory;
  const Path path = directory / "metrics.jsonl";
  const std::string kept = "{\"step\":1,\"loss\":5}\n";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  ASSERT_GE(fd, 0);
  const auto put = [fd](std::string_view text, std::uint64_t at) {
    EXPECT_EQ(::pwrite(fd, text.data(), text.size(), static_cast<off_t>(at)), std::ssize(text));
  };
  put(kept, 0);
  for (std::uint64_t at = kLine; at < kHole; at += kLine) put("\n", at);
  put("\n{\"step\":2,\"val_loss\":4}\n{\"step\":3,\"loss\":3}\n", kHole);
  ::close(fd);
  {
    MetricsCsv csv(directory / "metrics.csv", path);
    const std::string table = read_file(directory / "metrics.csv");
    EXPECT_NE(table.find("\n1,5,"), std::string::npos) << table;
    EXPECT_NE(table.find("\n2,,,,,,,,,,4,"), std::string::npos) << table;
  }
  MetricsLog log(path, 2);
  EXPECT_EQ(read_file(path), kept + "{\"step\":2,\"val_loss\":4}\n");
}

TEST(MetricsLog, GoesOnWhenTheDiskIsFull) {
  // The file-size limit stands for the full disk: a write comes short, then fails with EFBIG.
  const TempDirectory directory;
  const Path path = directory / "metrics.jsonl";
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  MetricsLog log(path, 0);
  log.write({{"step", 1}});
  const rlimit tight{.rlim_cur = 15, .rlim_max = old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  log.write({{"step", 2}});
  log.write({{"step", 3}});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  log.write({{"step", 4}});
  log.write({{"step", 5}});
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"st\n{\"step\":4}\n{\"step\":5}\n");
  MetricsLog resumed(path, 5);
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":4}\n{\"step\":5}\n");
}

}  // namespace
}  // namespace vkgpt::train
