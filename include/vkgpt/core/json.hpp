#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

namespace vkgpt {

using Json = nlohmann::json;

/// Parses untrusted JSON. Refuses, with one line that names `where`: invalid JSON or UTF-8, a
/// key that an object has twice, and nesting beyond `max_depth`.
Json parse_json(std::string_view text, std::string_view where, int max_depth = 16);

/// `parse_json` of a file of at most `max_bytes`.
Json read_json_file(const Path& path, std::uint64_t max_bytes = std::uint64_t{16} << 20);

/// `text` in quotes, on one line and shortened, for messages about input of unknown origin.
std::string json_quoted(std::string_view text);

/// `json` on one line; bytes that are no UTF-8 are replaced.
std::string json_text(const nlohmann::ordered_json& json);

/// Member `key` of `object`. Each refuses, with one line that names `where`, a missing member, one of another
/// type, and a number out of range.
const Json& json_member(const Json& object, std::string_view key, std::string_view where);
std::uint64_t json_unsigned(const Json& object, std::string_view key, std::string_view where,
                            std::uint64_t max = UINT64_MAX);
double json_number(const Json& object, std::string_view key, std::string_view where);
std::string json_string(const Json& object, std::string_view key, std::string_view where);

}  // namespace vkgpt
