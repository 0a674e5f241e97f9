#include "vkgpt/train/trainer_state.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::train {
namespace {

TrainerState sample() {
  return {.step = 120,
          .seed = UINT64_MAX,
          .tokens_seen = 983040,
          .best_val_loss = 1.0 / 3.0,
          .best_step = 100,
          .batch_size = 48,
          .data_sha256 = std::string(64, 'a'),
          .base_sha256 = std::string(64, 'b'),
          .shares = {5, 3},
          .val_tokens = 4096,
          .kept_steps = 77};
}

TEST(TrainerState, RoundTripsExactly) {
  EXPECT_EQ(trainer_state_from_json(trainer_state_to_json(sample()), "f"), sample());
  EXPECT_EQ(trainer_state_from_json(trainer_state_to_json({}), "f"), TrainerState{});
}

TEST(TrainerState, RefusesHostileValues) {
  const auto expect_refused = [](std::string_view key, Json value, const std::string& part) {
    Json json = Json::parse(trainer_state_to_json(sample()));
    json[std::string(key)] = std::move(value);
    EXPECT_TRUE(expect_error([&] { trainer_state_from_json(json.dump(), "dir/state"); }, part)
                    .starts_with("dir/state"));
  };
  expect_refused("version", 2, "version 2 is not 1");
  expect_refused("step", -1, "\"step\" must be a whole number");
  expect_refused("step", 1.5, "\"step\"");
  expect_refused("step", std::uint64_t{1} << 32, "\"step\"");
  expect_refused("seed", "1", "\"seed\"");
  expect_refused("tokens_seen", nullptr, "\"tokens_seen\"");
  expect_refused("best_val_loss", "nan", "\"best_val_loss\"");
  expect_refused("best_step", 121, "lies beyond");
  expect_refused("batch_size", 0, "\"batch_size\" is 0");
  expect_refused("batch_size", Json::array(), "\"batch_size\"");
  expect_refused("base_sha256", "zz", "64 hexadecimal digits");
  expect_refused("data_sha256", "zz", "64 hexadecimal digits");
  expect_refused("data_sha256", std::string(64, 'G'), "64 hexadecimal digits");
  expect_refused("shares", Json::array({5, 0}), "\"shares\"");
  expect_refused("shares", "5,3", "\"shares\"");
  expect_refused("val_tokens", -1, "\"val_tokens\"");
  expect_refused("extra", 1, "unknown key \"extra\"");
}

TEST(TrainerState, RefusesDamagedText) {
  const std::string text = trainer_state_to_json(sample());
  for (std::size_t n = 0; n + 2 < text.size(); ++n) {
    EXPECT_THROW(trainer_state_from_json(text.substr(0, n), "f"), Error) << n;
  }
  for (const char* key : {"version", "step", "seed", "tokens_seen", "best_val_loss", "best_step",
                          "batch_size", "data_sha256"}) {
    Json json = Json::parse(text);
    json.erase(key);
    expect_error([&] { trainer_state_from_json(json.dump(), "f"); },
                 std::string("\"") + key + "\" is missing");
  }
  expect_error([] { trainer_state_from_json("[]", "f"); }, "expected a JSON object");
}

}  // namespace
}  // namespace vkgpt::train
