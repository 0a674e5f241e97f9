#pragma once

#include <cstddef>
#include <string_view>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

/// What a file of a known other kind is by its first bytes, with what to do: "a Parquet file: export its text
/// column as .jsonl first"; empty for the rest.
std::string_view foreign_kind(std::string_view begin);

/// The same by signatures of four bytes and more alone, which numbers do not begin with by chance.
std::string_view signature_kind(std::string_view begin);

/// `foreign_kind`, and for data that hold zero bytes; empty for what may be text.
std::string_view what_is_no_text(std::string_view begin);

/// First bytes that they look at.
inline constexpr std::size_t kKindBytes = 4096;

/// Whether a file's name says that it is JSON Lines, compressed (.jsonl.gz) or not. So does .json: other
/// programs write the same under it.
bool is_json_lines(const Path& path);

/// Whether its name says that it is a text or JSON Lines, compressed or not; .json, which settings and models
/// are called too, does not.
bool is_text_name(const Path& path);

}  // namespace vkgpt::text
