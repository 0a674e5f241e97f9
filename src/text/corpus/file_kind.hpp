#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// What a file that is not plain text is by its first bytes, with what to do: "a Parquet file: export its
/// text column as .jsonl first"; empty for what may be text.
std::string_view foreign_kind(std::string_view begin);

/// Whether the bytes are gzip's.
bool is_gzip(std::string_view begin);

/// Unpacks gzip data, all of its members. Throws `Error`, which begins with `where`, for damaged data and for
/// more than `max_bytes`.
std::string gunzip(std::string_view packed, std::uint64_t max_bytes, const std::string& where);

}  // namespace vkgpt::text
