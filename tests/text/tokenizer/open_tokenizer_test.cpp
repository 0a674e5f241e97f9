#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

TEST(WriteTokenizerFiles, WhereTheMainFileIsAllAre) {
  const auto bytes = open_tokenizer("byte");
  ASSERT_GT(bytes->files().size(), 2U);
  const TempDirectory directory;
  for (const TokenizerFile& blocked : bytes->files()) {
    const Path run = directory / ("without_" + blocked.name);
    make_directories(run / blocked.name / "in the way");
    EXPECT_THROW(write_tokenizer_files(*bytes, run), IoError);
    EXPECT_FALSE(std::filesystem::is_regular_file(run / kTokenizerFile)) << blocked.name;
  }
  for (const bool is_there : {false, true}) {
    const Path run = directory / (is_there ? "there" : "new");
    if (is_there) make_directories(run);
    write_tokenizer_files(*bytes, run / "");
    for (const TokenizerFile& file : bytes->files()) EXPECT_EQ(read_file(run / file.name), file.contents);
    EXPECT_FALSE(std::filesystem::exists(run.string() + ".tmp"));
  }
}

TEST(OpenTokenizer, NamesFormsThatItDoesNotRead) {
  const TempDirectory directory;
  for (const char* name : {"tokenizer.model", "tekken.json", "qwen.tiktoken"}) {
    write_file(directory / name, "x");
    expect_error([&] { load_tokenizer(directory / name); }, "give the model's tokenizer.json");
  }
}

}  // namespace
}  // namespace vkgpt::text
