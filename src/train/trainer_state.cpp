#include "vkgpt/train/trainer_state.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::train {
namespace {

constexpr std::uint64_t kTrainerStateVersion = 1;

// Counter-based random numbers have 32 bits for the step.
constexpr std::uint64_t kMaxStep = UINT32_MAX;
constexpr std::uint64_t kMaxBatchSize = 1 << 20;
constexpr std::size_t kMaxRanks = 1 << 16;

std::vector<std::int64_t> shares_from(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() > kMaxRanks) fail("{}: \"shares\" must be a list of numbers", where);
  std::vector<std::int64_t> shares;
  for (const Json& share : json) {
    const bool fits = share.is_number_unsigned() && share.get<std::uint64_t>() >= 1 &&
                      share.get<std::uint64_t>() <= kMaxStep;
    if (!fits) fail("{}: \"shares\" must be whole numbers from 1", where);
    shares.push_back(share.get<std::int64_t>());
  }
  return shares;
}

void check_digest(const std::string& digest, const char* key, const std::string& where) {
  if (digest.empty()) return;
  if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
    fail("{}: \"{}\" must be 64 hexadecimal digits", where, key);
  }
}

}  // namespace

std::string trainer_state_to_json(const TrainerState& state) {
  VKGPT_CHECK(!state.best_val_loss || std::isfinite(*state.best_val_loss));
  nlohmann::ordered_json json = {
      {"version", kTrainerStateVersion},
      {"step", state.step},
      {"seed", state.seed},
      {"tokens_seen", state.tokens_seen},
      {"best_val_loss", state.best_val_loss ? nlohmann::ordered_json(*state.best_val_loss) : nullptr},
      {"best_step", state.best_step},
      {"batch_size", state.batch_size},
      {"data_sha256", state.data_sha256}};
  if (!state.base_sha256.empty()) json["base_sha256"] = state.base_sha256;
  if (!state.shares.empty()) json["shares"] = state.shares;
  if (state.val_tokens) json["val_tokens"] = *state.val_tokens;
  if (state.kept_steps > 0) json["kept_steps"] = state.kept_steps;
  return json.dump(1) + "\n";
}

TrainerState trainer_state_from_json(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where);
  if (const std::uint64_t version = json_unsigned(json, "version", where); version != kTrainerStateVersion) {
    fail("{}: its version {} is not {}; use the vkgpt that wrote it", where, version, kTrainerStateVersion);
  }
  // Losing a part of the state silently would break the continuation.
  constexpr std::array<std::string_view, 12> kKeys = {
      "version",    "step",        "seed",        "tokens_seen", "best_val_loss", "best_step",
      "batch_size", "data_sha256", "base_sha256", "shares",      "val_tokens",    "kept_steps"};
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(kKeys, key) == kKeys.end()) fail("{}: unknown key {}", where, json_quoted(key));
  }
  TrainerState state{
      .step = json_unsigned(json, "step", where, kMaxStep),
      .seed = json_unsigned(json, "seed", where),
      .tokens_seen = json_unsigned(json, "tokens_seen", where),
      .best_val_loss = {},
      .best_step = json_unsigned(json, "best_step", where, kMaxStep),
      .batch_size = static_cast<std::int64_t>(json_unsigned(json, "batch_size", where, kMaxBatchSize)),
      .data_sha256 = json_string(json, "data_sha256", where)};
  if (!json_member(json, "best_val_loss", where).is_null()) {
    state.best_val_loss = json_number(json, "best_val_loss", where);
  }
  if (state.best_step > state.step) {
    fail("{}: \"best_step\" {} lies beyond \"step\" {}", where, state.best_step, state.step);
  }
  if (state.batch_size == 0) fail("{}: \"batch_size\" is 0", where);
  check_digest(state.data_sha256, "data_sha256", where);
  if (json.contains("base_sha256")) state.base_sha256 = json_string(json, "base_sha256", where);
  check_digest(state.base_sha256, "base_sha256", where);
  if (json.contains("shares")) state.shares = shares_from(json["shares"], where);
  if (json.contains("val_tokens")) state.val_tokens = json_unsigned(json, "val_tokens", where);
  if (json.contains("kept_steps")) state.kept_steps = json_unsigned(json, "kept_steps", where, kMaxStep);
  return state;
}

}  // namespace vkgpt::train
