#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/tokenizer_files.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {

namespace {

constexpr std::uint64_t kMaxBytes = 64 << 20;

bool is_file(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// What the files beside a vocabulary say; the first that says something counts.
SpecialNames read_special_names(const Path& directory) {
  SpecialNames names;
  for (const char* name : {kTokenizerConfigFile, kSpecialTokensFile}) {
    const Path path = directory / name;
    if (!is_file(path)) continue;
    SpecialNames more = parse_special_names(read_file(path, kMaxBytes), path.string());
    if (names.end_of_text.empty()) names.end_of_text = std::move(more.end_of_text);
    if (names.begin_of_text.empty()) names.begin_of_text = std::move(more.begin_of_text);
  }
  return names;
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const Path& path) {
  return parse_tokenizer_json(read_file(path, kMaxBytes), read_special_names(path.parent_path()),
                              path.string());
}

std::unique_ptr<Tokenizer> load_tokenizer_directory(const Path& directory) {
  if (is_file(directory / kTokenizerFile)) return load_tokenizer_json(directory / kTokenizerFile);
  const Path vocab = directory / kVocabFile;
  const Path merges = directory / kMergesFile;
  if (is_file(vocab) && is_file(merges)) {
    return parse_vocab_and_merges(read_file(vocab, kMaxBytes), read_file(merges, kMaxBytes),
                                  read_special_names(directory), directory.string());
  }
  fail("{} has no {}, nor {} and {}: is it a directory that 'vkgpt train' or Hugging Face wrote?",
       directory.string(), kTokenizerFile, kVocabFile, kMergesFile);
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const Path& path) {
  if (!is_file(path)) return load_tokenizer_directory(path);
  if (path.extension() == ".tiktoken") {
    return parse_tiktoken(read_file(path, kMaxBytes), path.filename().string(), path.string());
  }
  if (path.filename() == kVocabFile || path.filename() == kMergesFile) {
    return load_tokenizer_directory(path.parent_path());
  }
  return load_tokenizer_json(path);
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name) {
  if (name.empty()) fail_usage("no tokenizer is given: gpt2, byte, or a directory or file with one");
  if (name == "gpt2") return make_gpt2_tokenizer();
  if (name == "byte") return make_byte_tokenizer();
  std::error_code ignored;
  if (!std::filesystem::exists(name, ignored)) {
    fail("there is no tokenizer '{}': give gpt2, byte, a directory with a tokenizer.json, or a file",
         printable(name));
  }
  return load_tokenizer(name);
}

std::vector<Token> Tokenizer::encode(std::string_view text) const {
  std::vector<Token> tokens;
  append_tokens(text, tokens);
  return tokens;
}

std::string Tokenizer::fingerprint() const {
  return sha256(files().front().contents);
}

std::string StreamDecoder::push(Token token) {
  pending_ += tokenizer_->decode({&token, 1});
  const std::size_t complete = complete_utf8_prefix(pending_);
  std::string out = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return out;
}

std::string StreamDecoder::finish() {
  return replace_invalid_utf8(std::exchange(pending_, {}));
}

}  // namespace vkgpt::text
