#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::model {

/// Tokens with a part in every text, as `bos_token_id`, `eos_token_id` and `pad_token_id` name them.
struct TokenIds {
  std::optional<std::int32_t> begin = {};
  std::vector<std::int32_t> ends = {};  ///< each of them ends a text; the first is written by training
  std::optional<std::int32_t> pad = {};

  friend bool operator==(const TokenIds&, const TokenIds&) = default;
};

inline constexpr const char* kModelConfigFile = "config.json";
inline constexpr const char* kGenerationConfigFile = "generation_config.json";

/// What `config.json` and `generation_config.json` of a directory say, each where it is there: the first
/// `begin` and `pad`, and the ends of both. Throws `Error` for one that is no number of a token.
TokenIds read_token_ids(const Path& directory);

}  // namespace vkgpt::model
