#include "vkgpt/text/tokenizer.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/char_tokenizer.hpp"

namespace vkgpt::text {

std::unique_ptr<Tokenizer> load_tokenizer(const Path& directory) {
  std::error_code ignored;
  const Path path = directory / kTokenizerFile;
  if (!std::filesystem::exists(path, ignored)) {
    fail("{} has no {}: is it a directory that 'vkgpt train' wrote?", directory.string(), kTokenizerFile);
  }
  constexpr std::uint64_t kMaxBytes = 64 << 20;
  return std::make_unique<CharTokenizer>(CharTokenizer::from_json(read_file(path, kMaxBytes), path.string()));
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
