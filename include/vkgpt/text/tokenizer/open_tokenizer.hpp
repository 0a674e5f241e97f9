#pragma once

#include <memory>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// Reads a tokenizer from a directory (`tokenizer.json`, else `vocab.json` + `merges.txt`), a
/// `tokenizer.json`, a `.tiktoken` file of ranks or a `.gguf` model. The files beside it say how texts begin
/// and end. Throws `Error`.
std::unique_ptr<Tokenizer> load_tokenizer(const Path& path);

/// A tokenizer that needs no text: "gpt2", "byte", or what `load_tokenizer` takes.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name);

/// Writes the files of a tokenizer: all or none where there is no such directory yet, else each whole or not
/// at all and `tokenizer.json` last, so that where that is all are. Throws `IoError`.
void write_tokenizer_files(const Tokenizer& tokenizer, const Path& directory);

}  // namespace vkgpt::text
