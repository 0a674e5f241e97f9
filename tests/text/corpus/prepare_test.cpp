#include "vkgpt/text/corpus/prepare.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer_choice.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"
#include "text/corpus/prepare_journal.hpp"

namespace vkgpt::text {
namespace {

struct Killed {};

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() {
    std::string lines;
    for (int i = 0; i < 20000; ++i) {
      lines += "{\"text\": \"document " + std::to_string(i * 7919 % 10007) + " says " +
               std::string(i % 90, 'x') + "\"}\n";
    }
    write_file(directory_ / "lines.jsonl", lines);
    std::string text;
    for (int i = 0; text.size() < 3'000'000; ++i)
      text += "line " + std::to_string(i) + (i % 5 == 0 ? " \xc3\xa9\n" : "\n");
    write_file(directory_ / "long.txt", text);
  }

  PrepareConfig config(const std::string& out) const {
    PrepareConfig config;
    config.out = (directory_ / out).string();
    config.tokenizer = "char";
    config.shard_tokens = 700'000;
    return config;
  }
  TextSource source() const {
    return TextSource(
        {.inputs = {(directory_ / "lines.jsonl").string(), (directory_ / "long.txt").string()}});
  }
  static std::unique_ptr<Tokenizer> tokenizer() {
    std::string characters = " \n\xc3\xa9";
    for (char c = 'a'; c <= 'z'; ++c) characters += c;
    return make_tokenizer({.name = "char"}, pieces_of(characters + "0123456789"), "test");
  }
  /// Throws `Killed` after `jobs` jobs, as if the process had ended there.
  PrepareResult prepare(const PrepareConfig& config, TextSource& source, int jobs = -1) const {
    return prepare_dataset(config, source, tokenizer, [&jobs](const PrepareProgress&) {
      if (jobs-- == 0) throw Killed();
    });
  }
  std::map<std::string, std::string> contents(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const Path& path : list_directory(directory_ / out))
      files[path.filename().string()] = read_file(path);
    return files;
  }

  TempDirectory directory_{TempDirectory::in_memory()};
};

TEST_F(PrepareTest, MakesShardsThatHoldTheText) {
  TextSource texts = source();
  const PrepareResult result = prepare(config("a"), texts);
  EXPECT_FALSE(result.interrupted);
  const auto& [train, validation] = result.manifest.splits;
  EXPECT_EQ(train.bytes + validation.bytes, [&] {
    std::uint64_t bytes = 0;
    TextSource again = source();
    while (const auto piece = again.next()) bytes += piece->text.size();
    return bytes;
  }());
  EXPECT_EQ(train.documents + validation.documents, 20000U + 2);
  const double share =
      static_cast<double>(validation.bytes) / static_cast<double>(train.bytes + validation.bytes);
  EXPECT_NEAR(share, 0.1, 0.01);
  EXPECT_GT(train.shards.size(), 3U);
  for (const DatasetShard& shard : train.shards)
    EXPECT_EQ(sha256_file(directory_ / "a" / shard.file), shard.sha256);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "a" / Journal::kFile));

  const auto own = load_tokenizer(directory_ / "a");
  const Corpus corpus = Corpus::open_dataset(directory_ / "a", *own);
  ASSERT_EQ(corpus.train().size(), train.tokens);
  std::vector<Token> end(30);
  corpus.validation().copy(corpus.validation().size() - end.size(), end);
  EXPECT_TRUE(read_file(directory_ / "long.txt").ends_with(own->decode(end)));

  TextSource again = source();
  EXPECT_TRUE(prepare(config("a"), again).was_there);
  PrepareConfig other = config("a");
  other.shard_tokens = 5;
  expect_error([&] { prepare(other, again); }, "other --shard_tokens");
}

TEST_F(PrepareTest, KnowsInputsThatWereWrittenAnew) {
  TextSource texts = source();
  prepare(config("a"), texts);
  const Path input = directory_ / "long.txt";
  std::string text = read_file(input);
  text[0] = 'X';
  write_file(input, text);
  std::filesystem::last_write_time(input, std::filesystem::last_write_time(input) + std::chrono::seconds(2));
  TextSource again = source();
  expect_error([&] { prepare(config("a"), again); }, "long.txt, which was written to since");
  // What was made before times were noted goes on.
  Json manifest = read_json_file(directory_ / "a" / kDatasetFile);
  for (Json& one : manifest["settings"]["inputs"]) EXPECT_EQ(one.erase("modified"), 1U);
  write_file(directory_ / "a" / kDatasetFile, manifest.dump());
  EXPECT_TRUE(prepare(config("a"), again).was_there);
}

TEST_F(PrepareTest, KilledAnywhereItGoesOnToTheSameBytes) {
  TextSource texts = source();
  prepare(config("whole"), texts);
  const auto whole = contents("whole");
  for (const int jobs : {0, 1, 2}) {
    const std::string out = "cut" + std::to_string(jobs);
    int kills = 0;
    for (bool going = true; going && kills < 20;) {
      TextSource again = source();
      try {
        prepare(config(out), again, jobs == 0 && kills > 0 ? -1 : jobs);
        going = false;
      } catch (const Killed&) {
        ++kills;
        if (jobs == 1 && kills == 10) break;  // a job that ends no shard leaves nothing behind
      }
    }
    EXPECT_GT(kills, 0);
    TextSource again = source();
    prepare(config(out), again);
    EXPECT_TRUE(contents(out) == whole) << jobs;
  }
}

TEST_F(PrepareTest, ShardsFinishedAfterTheJournalAreTakenBack) {
  TextSource texts = source();
  PrepareConfig small = config("a");
  small.shard_tokens = 200'000;  // several in a job
  prepare(small, texts);
  const auto whole = contents("a");
  small.out = (directory_ / "b").string();
  TextSource again = source();
  EXPECT_THROW(prepare(small, again, 2), Killed);
  TextSource last = source();
  EXPECT_GT(prepare(small, last).resumed_at, 0U);
  EXPECT_TRUE(contents("b") == whole);
}

TEST_F(PrepareTest, RefusesWhatItDidNotMake) {
  TextSource texts = source();
  std::filesystem::create_directory(directory_ / "model");
  write_file(directory_ / "model" / "tokenizer.json", "{}");
  expect_error([&] { prepare(config("model"), texts); }, "holds a tokenizer.json already");
  EXPECT_THROW(prepare(config("cut"), texts, 3), Killed);
  TextSource other({.inputs = {(directory_ / "long.txt").string()}});
  expect_error([&] { prepare(config("cut"), other); }, "other inputs");
  const Path journal = directory_ / "cut" / Journal::kFile;
  const std::string good = read_file(journal);
  for (const std::string& bad :
       {good.substr(0, good.size() / 2), std::string("[]"), std::string("{\"version\": 2}"), std::string()}) {
    write_file(journal, bad);
    TextSource again = source();
    expect_error([&] { prepare(config("cut"), again); }, Journal::kFile);
  }
  TextSource piped({.inputs = {"-"}});
  expect_error([&] { prepare(config("piped"), piped); }, "--val_fraction 0");
}

TEST_F(PrepareTest, DamagedManifestsAndShardsAreRefused) {
  TextSource texts = source();
  prepare(config("a"), texts);
  const Path manifest = directory_ / "a" / kDatasetFile;
  const std::string good = read_file(manifest);
  const auto own = load_tokenizer(directory_ / "a");
  const auto refuses = [&](const std::string& from, const std::string& to, const std::string& part) {
    std::string bad = good;
    const std::size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file(manifest, bad.replace(at, from.size(), to));
    expect_error([&] { Corpus::open_dataset(directory_ / "a", *own); }, part);
  };
  refuses("vkgpt-dataset", "other", "another program's");
  refuses("\"train_000000.bin\"", "\"../train_000000.bin\"", "is no file name");
  refuses("\"train_000001.bin\"", "\"train_000000.bin\"", "appears twice");
  refuses("\"tokens\": 700000", "\"tokens\": 700001", "tokens together");
  refuses("\"sha256\": \"", "\"sha256\": \"z", "64 hexadecimal digits");
  refuses("\"version\": 1", "\"version\": 9", "its version 9");
  refuses("\"documents\": ", "\"documents\": -", "whole number");
  write_file(manifest, good);
  const auto other = make_tokenizer({.name = "char"}, pieces_of("abc"), "test");
  expect_error([&] { Corpus::open_dataset(directory_ / "a", *other); }, "made with another tokenizer");
  std::filesystem::resize_file(directory_ / "a" / "train_000001.bin", 5000);
  expect_error([&] { Corpus::open_dataset(directory_ / "a", *own); }, "truncated or damaged");
}

TEST_F(PrepareTest, ManifestAndJournalListAnyNumberOfInputs) {
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
  const std::string name(2000, 'n');
  for (int i = 0; i < 10'000; ++i) inputs.push_back({{"path", name + std::to_string(i)}, {"bytes", i}});
  const DatasetManifest manifest{
      .tokenizer = std::string(64, '0'), .vocab_size = 256, .settings = {{"inputs", inputs}}, .splits = {}};
  write_dataset_manifest(directory_.path(), manifest);
  EXPECT_GT(std::filesystem::file_size(directory_ / kDatasetFile), std::uint64_t{16} << 20);
  EXPECT_EQ(read_dataset_manifest(directory_.path()).settings["inputs"].size(), inputs.size());

  const Journal journal{
      .settings = Json::parse(manifest.settings.dump()), .tokenizer = manifest.tokenizer, .state = {}};
  journal.write(directory_.path());
  EXPECT_EQ(Journal::read(directory_.path())->settings, journal.settings);
}

TEST(DrawValidation, DrawsTheShareAndEqualTextsAlike) {
  int drawn = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string text = "document " + std::to_string(i);
    drawn += draw_validation(text, 0.2) ? 1 : 0;
    EXPECT_EQ(draw_validation(text, 0.2), draw_validation(text, 0.2));
    EXPECT_FALSE(draw_validation(text, 0));
  }
  EXPECT_NEAR(drawn, 2000, 200);
}

}  // namespace
}  // namespace vkgpt::text
