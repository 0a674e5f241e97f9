#include "vkgpt/text/corpus/text_source.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

class TextSourceTest : public testing::Test {
 protected:
  Path file(const std::string& name, const std::string& contents) {
    const Path path = directory_ / name;
    std::filesystem::create_directories(path.parent_path());
    write_file(path, contents);
    return path;
  }
  std::vector<std::string> names(const std::vector<std::string>& inputs) {
    const TextSource source({.inputs = inputs});
    std::vector<std::string> found;
    for (const TextInput& input : source.inputs()) {
      found.push_back(std::filesystem::relative(input.path, directory_.path()).string());
    }
    return found;
  }
  /// All documents; the end of each is marked with '|'.
  static std::string read_all(TextSource& source) {
    std::string all;
    while (const auto piece = source.next()) all += piece->text + (piece->ends_document ? "|" : "");
    return all;
  }
  std::string read_lines(const std::string& contents) {
    TextSource source({.inputs = {file("a.jsonl", contents).string()}});
    return read_all(source);
  }

  TempDirectory directory_;
};

TEST_F(TextSourceTest, FindsFilesInDirectoriesAndGlobs) {
  for (const char* name : {"d/b.txt", "d/a.md", "d/c.bin", "d/.hidden.txt", "d/.git/x.txt", "d/sub/z.jsonl",
                           "d/sub/deep/y.rst", "e[1].txt"}) {
    file(name, "x");
  }
  std::filesystem::create_directory_symlink(directory_ / "d", directory_ / "d" / "loop");
  const std::string root = directory_.path().string();
  EXPECT_EQ(names({root + "/d"}),
            (std::vector<std::string>{"d/a.md", "d/b.txt", "d/sub/deep/y.rst", "d/sub/z.jsonl"}));
  EXPECT_EQ(names({root + "/d/*.??[tn]"}), (std::vector<std::string>{"d/b.txt", "d/c.bin"}));
  EXPECT_EQ(names({root + "/e[1].txt", root + "/d/c.bin"}), (std::vector<std::string>{"e[1].txt", "d/c.bin"}))
      << "a file's own name comes before a pattern";
  std::filesystem::create_directory(directory_ / "none");
  expect_error([&] { names({root + "/none"}); }, "holds no text");
  expect_error([&] { names({root + "/*.zip"}); }, "nothing matches");
  expect_error([&] { names({root + "/missing.txt"}); }, "missing.txt");
  expect_error([&] { names({"-", "-"}); }, "standard input can be read once");
  expect_error([&] { names({}); }, "no input is given");
}

TEST_F(TextSourceTest, CutsLongTextsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += i % 3 == 0 ? "a" : i % 3 == 1 ? "\xc3\xa9" : "\xf0\x9f\x98\x80";
  TextSource source(
      {.inputs = {file("a.txt", text).string(), file("b.txt", "").string(), file("c.txt", "end").string()},
       .piece_bytes = 16});
  std::string all;
  std::size_t documents = 0;
  std::uint64_t in_file = 0;
  while (const auto piece = source.next()) {
    EXPECT_LE(piece->text.size(), 16U);
    EXPECT_NE(static_cast<unsigned char>(piece->text[0]) & 0xc0U, 0x80U);
    in_file += piece->text.size();
    EXPECT_EQ(piece->offset, in_file);
    all += piece->text;
    if (piece->ends_document) {
      ++documents;
      in_file = 0;
    }
  }
  EXPECT_EQ(all, text + "end");
  EXPECT_EQ(documents, 2U) << "an empty file is no document";
  EXPECT_EQ(*source.total_bytes(), text.size() + 3);
}

TEST_F(TextSourceTest, LinesAreDocuments) {
  EXPECT_EQ(
      read_lines(
          "\xef\xbb\xbf{\"text\": \"one\"}\r\n\n{\"id\": [1, {\"text\": 2}], \"text\": \"tw\\u00f6\\n\"}\n"
          "{\"text\": \"\"}\n{\"text\":\"last\"}"),
      "one|tw\xc3\xb6\n|last|");
  TextSource other(
      {.inputs = {file("b.ndjson", "{\"body\": \"b\", \"text\": 1}\n").string()}, .text_field = "body"});
  EXPECT_EQ(read_all(other), "b|");
  TextSource plain({.inputs = {file("c.jsonl", "{}\n").string()}, .format = "text"});
  EXPECT_EQ(read_all(plain), "{}\n|");
}

TEST_F(TextSourceTest, NamesInAnyLettersAndJsonAreJsonLines) {
  for (const char* name : {"a.JSONL", "a.NDJson", "a.json"}) {
    TextSource source({.inputs = {file(name, "{\"text\": \"x\"}\n").string()}});
    EXPECT_EQ(read_all(source), "x|") << name;
  }
}

TEST_F(TextSourceTest, OneJsonDocumentIsRefusedWithTheWayOut) {
  for (const bool skip : {false, true}) {
    const auto refuses = [&](const std::string& contents, const std::string& part) {
      expect_error(
          [&] {
            TextSource source({.inputs = {file("a.json", contents).string()}, .skip_bad_lines = skip});
            read_all(source);
          },
          part);
    };
    refuses("[{\"text\": \"x\"},\n{\"text\": \"y\"}]", "jq -c .[]");
    refuses("[\n  {\"text\": \"x\"}\n]\n", "jq -c .[]");
    refuses("{\r\n  \"text\": \"x\"\r\n}\r\n", "'jq -c .' ");
  }
}

TEST_F(TextSourceTest, BrokenLinesAreRefusedWithTheirNumber) {
  const std::string good = "{\"text\": \"x\"}\n";
  const auto refuses = [&](const std::string& line, const std::string& part) {
    const std::string message =
        expect_error([&] { read_lines(good + "\n" + good + line + "\n" + good); }, part);
    EXPECT_NE(message.find("a.jsonl:4: "), std::string::npos) << message;
  };
  refuses("{\"text\": \"x\"", "invalid JSON at byte");
  refuses("{\"text\": \"x\"} {}", "invalid JSON at byte");
  refuses("{\"text\": \"\xff\"}", "invalid JSON at byte");
  refuses("{\"txt\": \"x\"}", "no string \"text\"");
  refuses("{\"text\": 3}", "not a string");
  refuses("{\"text\": [\"x\"]}", "not a string");
  refuses("{\"text\": \"x\", \"text\": \"y\"}", "twice");
  refuses("\"text\"", "not a JSON object");
  refuses("[\"text\"]", "no string \"text\"");
  refuses("{\"n\": 1e999, \"text\": \"x\"}", "out of range");
  refuses("{\"a\": " + std::string(70, '[') + std::string(70, ']') + "}", "nested deeper");
}

TEST_F(TextSourceTest, RecordsOfOtherKindsAreRefusedWithWhatTakesThem) {
  expect_error([&] { read_lines("{\"prompt\": \"x\", \"chosen\": \"a\", \"rejected\": \"b\"}\n"); },
               "a pair of replies, not a text: train on such with --objective dpo");
  const std::string text = expect_error([&] { read_lines("{\"messages\": [{\"chosen\": 1}]}\n"); },
                                        "a conversation, not a text: 'vkgpt data prepare --chat'");
  EXPECT_FALSE(text.contains("skip_bad_lines")) << text;
}

TEST_F(TextSourceTest, BrokenLinesArePassedOverWhereAskedTo) {
  const std::string lines = "{\"text\": \"a\"}\n{\"text\": \"b\n{\"text\": 3}\n{}\n{\"text\": \"d\"}\n";
  EXPECT_NE(expect_error([&] { read_lines(lines); }, "--skip_bad_lines").find("a.jsonl:2: "),
            std::string::npos);
  TextSource source({.inputs = {(directory_ / "a.jsonl").string()}, .skip_bad_lines = true});
  EXPECT_EQ(read_all(source), "a|d|");
  EXPECT_EQ(source.skipped_lines(), 3U);
}

TEST_F(TextSourceTest, LinesAreCountedAsTheyAreRead) {
  const std::string good = "{\"text\": \"a\"}\n";
  const Path path = file("a.jsonl", good + "\n" + good + "{\n");
  const auto line_of_failure = [&](TextSource& source) {
    return expect_error([&] { read_all(source); }, "a.jsonl:4: ");
  };
  TextSource whole({.inputs = {path.string()}});
  ASSERT_TRUE(whole.next());
  TextSource rest({.inputs = {path.string()}});
  rest.seek(0, good.size() + 1);
  line_of_failure(rest);
  write_file(path, "");  // what is in hand is not read again
  line_of_failure(whole);
}

TEST_F(TextSourceTest, WhatPythonWritesIsRead) {
  EXPECT_EQ(read_lines("{\"text\": \"a\", \"score\": NaN, \"more\": [-Infinity, Infinity]}\n"
                       "{\"text\": \"b\\ud83d NaN\"}\n{\"text\": null}\n{\"text\": "
                       "\"\\ud83d\\ude00\\udc00\", \"x\": NaN}\n"),
            "a|b\ufffd NaN|\U0001f600\ufffd|");
}

TEST_F(TextSourceTest, AByteOrderMarkIsNoText) {
  const std::string mark = "\xef\xbb\xbf";
  TextSource source({.inputs = {file("a.txt", mark + "a" + mark).string(), file("b.txt", mark).string(),
                                file("c.txt", "c").string()}});
  EXPECT_EQ(read_all(source), "a" + mark + "|c|");
}

TEST_F(TextSourceTest, SeekGoesOnBehindEveryPiece) {
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "{\"text\": \"line " + std::to_string(i) + "\"}\n";
  const TextSourceConfig config{.inputs = {file("a.txt", std::string(100, 'a') + "b").string(),
                                           file("b.jsonl", lines).string(), file("c.txt", "end").string()},
                                .piece_bytes = 16};
  TextSource whole(config);
  const std::string all = read_all(whole);
  TextSource source(config);
  std::string before;
  while (const auto piece = source.next()) {
    before += piece->text + (piece->ends_document ? "|" : "");
    TextSource rest(config);
    rest.next();
    rest.seek(piece->input, piece->offset);
    EXPECT_EQ(before + read_all(rest), all);
  }
  source.seek(3, 0);
  EXPECT_FALSE(source.next());
  expect_error([&] { source.seek(2, 4); }, "has become shorter");
}

TEST_F(TextSourceTest, AFileThatShrinksIsNoticed) {
  const Path path = file("a.txt", std::string(1000, 'a'));
  TextSource source({.inputs = {path.string()}, .piece_bytes = 16});
  std::filesystem::resize_file(path, 10);
  expect_error([&] { read_all(source); }, "it was cut off");
}

TEST(TextSource, PassesOverALineThatIsTooLong) {
  const TempDirectory directory(TempDirectory::in_memory());
  const Path path = directory / "a.jsonl";
  write_file(path,
             "{\"text\": \"a\"}\n{\"text\": \"" + std::string(70 << 20, 'x') + "\"}\n{\"text\": \"b\"}\n");
  TextSource strict({.inputs = {path.string()}});
  EXPECT_EQ(strict.next()->text, "a");
  expect_error([&] { strict.next(); }, "a.jsonl:2: the line is longer than 64 MiB; --skip_bad_lines");
  TextSource source({.inputs = {path.string()}, .skip_bad_lines = true});
  EXPECT_EQ(source.next()->text, "a");
  EXPECT_EQ(source.next()->text, "b");
  EXPECT_FALSE(source.next());
  EXPECT_EQ(source.skipped_lines(), 1U);
}

}  // namespace
}  // namespace vkgpt::text
