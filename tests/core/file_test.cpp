#include "vkgpt/core/file.hpp"

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect_error.hpp"
#include "support/faulty_file_system.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt {
namespace {

using testing::HasSubstr;

TEST(File, ReadsWhatWasWritten) {
  const TempDirectory temp;
  const std::string contents("a\0b\n\xff", 5);
  write_file(temp / "x", contents);
  EXPECT_EQ(read_file(temp / "x"), contents);
  write_file(temp / "x", "");
  EXPECT_EQ(read_file(temp / "x"), "");
}

TEST(File, ReadsAtAnyOffset) {
  const TempDirectory temp;
  write_file(temp / "x", "0123456789");
  const InputFile file(temp / "x");
  std::string part(3, ' ');
  file.read_at(4, std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(part, "456");
  expect_error([&] { file.read_at(8, std::as_writable_bytes(std::span(part))); },
               "1 bytes are needed at byte 10");
}

TEST(File, ErrorsNameThePathTheReasonAndTheRemedy) {
  const TempDirectory temp;
  const std::string missing = (temp / "missing").string();
  EXPECT_THAT(expect_error([&] { read_file(missing); }, missing),
              HasSubstr("No such file or directory; check the path"));
  expect_error([&] { read_file(temp.path()); }, "Is a directory");
  expect_error([&] { write_file(temp / "none/x", "1"); }, "cannot create");
  expect_error([&] { list_directory(missing); }, missing);
  expect_error([&] { rename_path(missing, temp / "y"); }, missing);
  expect_error([&] { make_directories("/proc/none/x"); }, "/proc/none");
  expect_error([&] { write_file("/dev/full", "1"); }, "No space left on device; free some space");
}

TEST(File, RefusesFilesAboveTheCap) {
  const TempDirectory temp;
  write_file(temp / "x", "12345");
  EXPECT_EQ(read_file(temp / "x", 5), "12345");
  expect_error([&] { read_file(temp / "x", 4); }, "5 bytes, more than the 4 allowed");
}

TEST(File, ReplacingWritesIntoAPipeInsteadOfTakingItsPlace) {
  const TempDirectory directory;
  const Path pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string read(5, '\0');
  std::thread reader([&] {
    const int fd = ::open(pipe.c_str(), O_RDONLY);
    EXPECT_EQ(::read(fd, read.data(), read.size()), 5);
    ::close(fd);
  });
  replace_file(pipe, "hello");
  reader.join();
  EXPECT_EQ(read, "hello");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_EQ(list_directory(directory.path()).size(), 1U);
}

TEST(File, ReplacingRefusesADirectoryBeforeAnythingIsWritten) {
  const TempDirectory temp;
  expect_error([&] { replace_file(temp / ".", "hello"); }, "Is a directory; name a file");
  EXPECT_TRUE(list_directory(temp.path()).empty());
}

TEST(File, RefusesPipesWithoutHanging) {
  const TempDirectory temp;
  ASSERT_EQ(::mkfifo((temp / "pipe").c_str(), 0600), 0);
  expect_error([&] { read_file(temp / "pipe"); }, "not a regular file");
  expect_error([&] { read_file("/dev/zero"); }, "not a regular file");
}

TEST(File, MakesListsAndRemovesTrees) {
  const TempDirectory temp;
  make_directories(temp / "a/b/c");
  make_directories(temp / "a/b/c");
  write_file(temp / "a/b/f", "1");
  write_file(temp / "outside", "1");
  std::filesystem::create_symlink(temp / "outside", temp / "a/link");
  std::filesystem::create_directory_symlink(temp.path(), temp / "a/up");
  EXPECT_EQ(list_directory(temp / "a"), (std::vector<Path>{temp / "a/b", temp / "a/link", temp / "a/up"}));
  sync_directory(temp / "a");
  remove_tree(temp / "a");
  EXPECT_FALSE(std::filesystem::exists(temp / "a"));
  EXPECT_TRUE(std::filesystem::exists(temp / "outside")) << "links must not be followed";
  remove_tree(temp / "a");
  write_file(temp / "file", "1");
  expect_error([&] { make_directories(temp / "file/x"); }, "cannot create directory");
}

TEST(File, Sha256OfAFileIsThatOfItsContents) {
  const TempDirectory temp;
  const std::string contents((1 << 20) + 77, 'q');
  Sha256 while_writing;
  OutputFile file(temp / "x");
  file.hash_into(&while_writing);
  file.write(contents);
  file.finish();
  EXPECT_EQ(file.size(), contents.size());
  EXPECT_EQ(sha256_file(temp / "x"), sha256(contents));
  EXPECT_EQ(while_writing.hex(), sha256(contents));
}

TEST(File, ReplaceKeepsTheOldOrTheNewContentsAtEveryFault) {
  const TempDirectory temp;
  const Path path = temp / "settings";
  FaultyFileSystem healthy;
  replace_file(path, "old", healthy);
  ASSERT_EQ(healthy.count(), 5);  // create, write, fsync, rename, fsync of the parent
  for (const Fault fault : {Fault::kError, Fault::kCrash}) {
    for (int k = 1; k <= healthy.count(); ++k) {
      write_file(path, "old");
      FaultyFileSystem faulty(fault, k, EIO);
      EXPECT_THROW(replace_file(path, "newer", faulty), IoError) << k;
      EXPECT_EQ(read_file(path), k <= 4 ? "old" : "newer") << k;
      if (fault == Fault::kError) {
        EXPECT_FALSE(std::filesystem::exists(temp / "settings.tmp")) << k;
      }
    }
  }
  replace_file(path, "newest");
  EXPECT_EQ(read_file(path), "newest");
}

}  // namespace
}  // namespace vkgpt
