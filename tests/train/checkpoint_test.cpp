#include "vkgpt/train/checkpoint.hpp"

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/json.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

void fill(std::uint64_t step, CheckpointWriter& writer) {
  writer.write("config.json", "{}");
  writer.write("model.safetensors", vkgpt::format("weights of step {}", step));
}

std::expected<Checkpoint, std::string> save(CheckpointStore& store, std::uint64_t step,
                                            std::optional<double> loss = {}) {
  return store.save(step, loss, [&](CheckpointWriter& writer) { fill(step, writer); });
}

/// Without the links, which are there for people.
std::vector<std::string> names(const Path& directory) {
  std::vector<std::string> result;
  for (const Path& entry : list_directory(directory)) {
    if (!std::filesystem::is_symlink(entry)) result.push_back(entry.filename().string());
  }
  return result;
}

void flip(const Path& path, std::size_t at) {
  std::string text = read_file(path);
  text.at(at) = static_cast<char>(text[at] ^ 1);
  write_file(path, text);
}

TEST(CheckpointStore, SavesADirectoryThatVerifies) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp / "run");
  EXPECT_TRUE(store.empty());
  EXPECT_FALSE(store.newest());
  const auto saved = save(store, 10, 2.5);
  ASSERT_TRUE(saved) << saved.error();
  EXPECT_EQ(saved->directory, temp / "run/step-10");
  EXPECT_EQ(names(saved->directory),
            (std::vector<std::string>{"config.json", "manifest.json", "model.safetensors"}));
  EXPECT_EQ(read_file(saved->directory / "model.safetensors"), "weights of step 10");
  EXPECT_EQ(names(temp / "run"), std::vector<std::string>{"step-10"});
  EXPECT_FALSE(store.empty());
  const auto newest = store.newest();
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, 10U);
  EXPECT_EQ(newest->val_loss, 2.5);
}

TEST(CheckpointStore, KeepsTheNewestAndTheBest) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path(), 2);
  const std::vector<std::optional<double>> losses = {3.0, 1.0, 2.0, {}, 1.5, NAN, 2.5};
  for (std::size_t i = 0; i < losses.size(); ++i) ASSERT_TRUE(save(store, 90 + i, losses[i]));
  // By number, not by name: step-100 would sort before step-91.
  EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"step-91", "step-95", "step-96"}));
  ASSERT_TRUE(save(store, 100, 0.5));
  EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"step-100", "step-96"}));
  EXPECT_EQ(store.newest()->step, 100U);
}

TEST(CheckpointStore, WithoutLossesOnlyTheNewestStay) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path(), 3);
  for (std::uint64_t step = 1; step <= 5; ++step) ASSERT_TRUE(save(store, step));
  EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"step-3", "step-4", "step-5"}));
  EXPECT_THROW(CheckpointStore(temp / "other", 1), CheckFailure);
}

TEST(CheckpointStore, ReplacesACheckpointOfTheSameStep) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  ASSERT_TRUE(save(store, 5));
  ASSERT_TRUE(
      store.save(5, 1.0, [](CheckpointWriter& writer) { writer.write("model.safetensors", "again"); }));
  EXPECT_EQ(names(temp.path()), std::vector<std::string>{"step-5"});
  EXPECT_EQ(read_file(temp / "step-5/model.safetensors"), "again");
}

TEST(CheckpointStore, DamageOfAllIsRefusedAndNoBeginning) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  ASSERT_TRUE(save(store, 10));
  ASSERT_TRUE(save(store, 20));
  for (const char* name : {"step-10", "step-20"}) flip(temp / name / "model.safetensors", 3);
  testing::internal::CaptureStderr();
  expect_error([&] { store.newest(); }, "none of its 2 checkpoints is whole");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("step-10"));
}

TEST(CheckpointStore, WhatCannotBeReadForNowIsNotPassedOver) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  ASSERT_TRUE(save(store, 10));
  ASSERT_TRUE(save(store, 20));
  const Path weights = temp / "step-20/model.safetensors";
  remove_tree(weights);
  std::filesystem::create_symlink(weights.filename(), weights);  // for root no file is without permission
  expect_error([&] { store.newest(); }, "step-20/model.safetensors");
}

TEST(CheckpointStore, FallsBackToAnOlderCheckpointAndSaysWhy) {
  const std::vector<std::pair<std::string, std::function<void(const Path&)>>> damages = {
      {"does not match its checksum", [](const Path& dir) { flip(dir / "model.safetensors", 3); }},
      {"has 5 bytes, the manifest says 18",
       [](const Path& dir) { write_file(dir / "model.safetensors", "weigh"); }},
      {"No such file", [](const Path& dir) { remove_tree(dir / "model.safetensors"); }},
      {"No such file", [](const Path& dir) { remove_tree(dir / "manifest.json"); }},
      {"invalid JSON", [](const Path& dir) { write_file(dir / "manifest.json", "{\"checkpoint\""); }},
      {"invalid JSON", [](const Path& dir) { write_file(dir / "manifest.json", ""); }},
      {"is that of step 10",
       [](const Path& dir) {
         remove_tree(dir);
         std::filesystem::copy(dir.parent_path() / "step-10", dir);
       }},
      {"No such file",
       [](const Path& dir) {
         for (const Path& p : list_directory(dir)) remove_tree(p);
       }},
      {"Not a directory",
       [](const Path& dir) {
         remove_tree(dir);
         write_file(dir, "a file");
       }},
  };
  for (const auto& [reason, damage] : damages) {
    const TempDirectory temp(TempDirectory::in_memory());
    CheckpointStore store(temp.path());
    ASSERT_TRUE(save(store, 10));
    ASSERT_TRUE(save(store, 20));
    damage(temp / "step-20");
    testing::internal::CaptureStderr();
    const auto newest = store.newest();
    const std::string warning = testing::internal::GetCapturedStderr();
    ASSERT_TRUE(newest) << reason;
    EXPECT_EQ(newest->step, 10U);
    EXPECT_THAT(warning, testing::HasSubstr(reason));
    EXPECT_THAT(warning, testing::HasSubstr("step-20"));
    // Training goes on from step 10, and a damaged checkpoint never counts as one of those to keep.
    ASSERT_TRUE(save(store, 15));
    EXPECT_TRUE(std::filesystem::exists(temp / "step-10")) << reason;
    ASSERT_TRUE(save(store, 20)) << reason;
    EXPECT_EQ(store.newest()->step, 20U) << reason;
  }
}

TEST(CheckpointStore, AnyFlippedBitOfAManifestIsNoticed) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  ASSERT_TRUE(save(store, 10, 1.25));
  const Path path = temp / "step-10/manifest.json";
  const std::string text = read_file(path);
  EXPECT_EQ(manifest_from_json(text, "m").step, 10U);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(text[at] ^ (1 << bit));
      EXPECT_THROW(manifest_from_json(changed, "m"), Error) << at;
    }
    EXPECT_THROW(manifest_from_json(text.substr(0, at), "m"), Error) << at;
  }
  EXPECT_THROW(manifest_from_json(text + " ", "m"), Error);
}

TEST(CheckpointManifest, RefusesHostileContentsWithAValidChecksum) {
  const auto signed_text = [](const Json& body) {
    return Json{{"checkpoint", body}, {"sha256", sha256(body.dump())}}.dump(1) + "\n";
  };
  const Json valid = {{"format", "vkgpt checkpoint"},
                      {"version", 1},
                      {"step", 1},
                      {"val_loss", nullptr},
                      {"files", {{"a", {{"bytes", 1}, {"sha256", std::string(64, '0')}}}}}};
  EXPECT_EQ(manifest_from_json(signed_text(valid), "m").files.size(), 1U);
  const auto expect_refused = [&](const std::string& pointer, const Json& value, const std::string& part) {
    Json body = valid;
    body[Json::json_pointer(pointer)] = value;
    expect_error([&] { manifest_from_json(signed_text(body), "m"); }, part);
  };
  expect_refused("/format", "other", "not the manifest");
  expect_refused("/version", 2, "version 2");
  expect_refused("/step", -1, "\"step\"");
  expect_refused("/val_loss", "low", "\"val_loss\"");
  expect_refused("/files", 1, "\"files\"");
  expect_refused("/files/a/bytes", 0.5, "\"bytes\"");
  expect_refused("/files/a/sha256", "00", "checksum of \"a\" is malformed");
  const Json file = valid["files"]["a"];
  for (const char* name : {"../passwd", "/etc/passwd", "..", ".", "a~1b", "", "manifest.json", ".hidden"}) {
    Json body = valid;
    body["files"][name == std::string("a~1b") ? "a/b" : name] = file;
    expect_error([&] { manifest_from_json(signed_text(body), "m"); }, "is no name for a file");
  }
}

TEST(CheckpointStore, ClearsWhatAnInterruptedSaveLeft) {
  const TempDirectory temp(TempDirectory::in_memory());
  {
    CheckpointStore store(temp.path());
    ASSERT_TRUE(save(store, 10));
    ASSERT_TRUE(save(store, 20));
  }
  make_directories(temp / "step-30.tmp");
  write_file(temp / "step-30.tmp/model.safetensors", "half");
  make_directories(temp / "step-20.old");
  write_file(temp / "notes.txt", "mine");
  make_directories(temp / "step-007");
  const CheckpointStore store(temp.path());
  EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"notes.txt", "step-007", "step-10", "step-20"}));
}

TEST(CheckpointStore, RescuesAWholeCheckpointThatOnlyLackedItsName) {
  for (const char* suffix : {".tmp", ".old"}) {
    const TempDirectory temp(TempDirectory::in_memory());
    {
      CheckpointStore store(temp.path());
      ASSERT_TRUE(save(store, 10));
    }
    rename_path(temp / "step-10", temp / (std::string("step-10") + suffix));
    CheckpointStore store(temp.path());
    ASSERT_TRUE(store.newest()) << suffix;
    EXPECT_EQ(names(temp.path()), std::vector<std::string>{"step-10"});
  }
}

TEST(CheckpointStore, LinksNameTheNewestAndTheBest) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  for (const auto& [step, loss] : {std::pair(10, 2.0), {20, 1.0}, {30, 3.0}, {40, 4.0}}) {
    ASSERT_TRUE(store.save(static_cast<std::uint64_t>(step), loss,
                           [](CheckpointWriter& writer) { writer.write("model.safetensors", "x"); }));
  }
  EXPECT_EQ(std::filesystem::read_symlink(temp / "latest"), "step-40");
  EXPECT_EQ(std::filesystem::read_symlink(temp / "best"), "step-20");
  EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"step-20", "step-30", "step-40"}));
}

TEST(CheckpointStore, LinksAreMendedAfterAKill) {
  const TempDirectory temp(TempDirectory::in_memory());
  {
    CheckpointStore store(temp.path());
    ASSERT_TRUE(save(store, 10));
    ASSERT_TRUE(save(store, 20));
  }
  // Killed before the second link was renamed, with what the first names removed since.
  std::filesystem::remove(temp / "latest");
  std::filesystem::create_symlink("step-1", temp / "latest");
  std::filesystem::create_symlink("step-20", temp / "latest.tmp");
  std::filesystem::create_symlink("step-20", temp / "best.tmp");
  const CheckpointStore store(temp.path());
  EXPECT_EQ(std::filesystem::read_symlink(temp / "latest"), "step-20");
  EXPECT_FALSE(std::filesystem::is_symlink(temp / "latest.tmp"));
  EXPECT_FALSE(std::filesystem::is_symlink(temp / "best.tmp"));
}

TEST(CheckpointStore, ALinkThatCannotBeRenamedLeavesNothing) {
  const TempDirectory temp(TempDirectory::in_memory());
  make_directories(temp / "latest" / "something");
  CheckpointStore store(temp.path());
  ASSERT_TRUE(save(store, 10));
  EXPECT_FALSE(std::filesystem::is_symlink(temp / "latest.tmp"));
  EXPECT_TRUE(std::filesystem::is_directory(temp / "latest" / "something"));
}

TEST(CheckpointStore, IsForOneProcessAtATime) {
  const TempDirectory temp(TempDirectory::in_memory());
  {
    const CheckpointStore store(temp.path());
    expect_error([&] { CheckpointStore second(temp.path()); }, "another process is training in");
  }
  EXPECT_NO_THROW(CheckpointStore(temp.path()));
}

TEST(CheckpointStore, OtherExceptionsPassThroughAndLeaveNothing) {
  const TempDirectory temp(TempDirectory::in_memory());
  CheckpointStore store(temp.path());
  ASSERT_TRUE(save(store, 1));
  EXPECT_THROW((void)store.save(2, {},
                                [](CheckpointWriter& writer) {
                                  writer.write("model.safetensors", "x");
                                  fail("the device is lost");
                                }),
               Error);
  EXPECT_EQ(names(temp.path()), std::vector<std::string>{"step-1"});
  EXPECT_THROW((void)store.save(2, {}, [](CheckpointWriter& writer) { writer.write("../x", ""); }),
               CheckFailure);
  EXPECT_THROW((void)store.save(2, {}, [](CheckpointWriter& writer) { writer.write("manifest.json", ""); }),
               CheckFailure);
  EXPECT_EQ(names(temp.path()), std::vector<std::string>{"step-1"});
}

TEST(FindModelDirectory, TakesACheckpointOrTheBestOfARun) {
  const TempDirectory temp(TempDirectory::in_memory());
  {
    CheckpointStore store(temp.path(), 3);
    ASSERT_TRUE(save(store, 1, 2.0));
    ASSERT_TRUE(save(store, 2, 1.0));
    ASSERT_TRUE(save(store, 3));
  }
  EXPECT_EQ(find_model_directory(temp.path()), temp / "step-2");
  EXPECT_EQ(find_model_directory(temp / "step-1"), temp / "step-1");
  testing::internal::CaptureStderr();
  flip(temp / "step-2/model.safetensors", 0);
  EXPECT_EQ(find_model_directory(temp.path()), temp / "step-1");
  write_file(temp / "step-1/config.json", "");
  EXPECT_EQ(find_model_directory(temp.path()), temp / "step-3");
  remove_tree(temp / "step-3/manifest.json");
  expect_error([&] { find_model_directory(temp.path()); }, "none of its 3 checkpoints is whole");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("skipping a checkpoint"));
}

TEST(FindModelDirectory, RefusesADamagedCheckpointInOneLine) {
  const TempDirectory temp(TempDirectory::in_memory());
  {
    CheckpointStore store(temp.path());
    ASSERT_TRUE(save(store, 1));
  }
  flip(temp / "step-1/model.safetensors", 5);
  expect_error([&] { find_model_directory(temp / "step-1"); }, "does not match its checksum");
  write_file(temp / "step-1/model.safetensors", "short");
  expect_error([&] { find_model_directory(temp / "step-1"); }, "the manifest says");
  remove_tree(temp / "step-1" / kManifestName);
  write_file(temp / "step-1" / kTrainerStateFile, "{}");
  expect_error([&] { find_model_directory(temp / "step-1"); }, "has no manifest.json");
}

TEST(FindModelDirectory, AcceptsAForeignModelAndRefusesAnythingElse) {
  const TempDirectory temp(TempDirectory::in_memory());
  expect_error([&] { find_model_directory(temp.path()); }, "holds neither a model");
  expect_error([&] { find_model_directory(temp / "none"); }, "No such file");
  write_file(temp / "file", "");
  expect_error([&] { find_model_directory(temp / "file"); }, "Not a directory");
  write_file(temp / "model.safetensors", "from elsewhere");
  EXPECT_EQ(find_model_directory(temp.path()), temp.path());
}

}  // namespace
}  // namespace vkgpt::train
