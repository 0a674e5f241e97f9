#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/corpus/documents.hpp"

namespace vkgpt::text {

// The sidecar of a shard, `train_000000.marks` beside `train_000000.bin`: three 32-bit little-endian words
// {20261127, 1, n}, then a byte for each of the shard's n tokens, the sum of 1 where a model is to learn to
// say the token and 2 where it begins a document.

/// "train_000000.marks" for "train_000000.bin".
std::string mark_file_name(const std::string& shard);

/// Writes the marks of tokens [first, first + count) of a split. Gives the file's SHA-256.
std::string write_marks(const Path& path, const Documents& documents, std::uint64_t first,
                        std::uint64_t count);

/// Appends the marks of a shard of `tokens` tokens, the next of its split. Throws `Error` where the file is
/// no such one or of another length.
void append_marks(const Path& path, std::uint64_t tokens, Documents& documents);

}  // namespace vkgpt::text
