#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {

std::vector<Token> Tokenizer::encode(std::string_view text) const {
  std::vector<Token> tokens;
  append_tokens(text, tokens);
  return tokens;
}

std::vector<Token> Tokenizer::encode_prompt(std::string_view text) const {
  std::vector<Token> tokens = encode_with_special(text);
  tokens.insert(tokens.begin(), rules_.before.begin(), rules_.before.end());
  tokens.insert(tokens.end(), rules_.after.begin(), rules_.after.end());
  return tokens;
}

bool Tokenizer::ends_text(Token token) const {
  return token == end_of_text() || std::ranges::contains(rules_.ids.ends, token);
}

model::TokenIds Tokenizer::token_ids() const {
  model::TokenIds ids = rules_.ids;
  if (ids.ends.empty() && end_of_text()) ids.ends = {*end_of_text()};
  if (!ids.begin) ids.begin = begin_of_text();
  if (!ids.begin && !ids.ends.empty()) ids.begin = ids.ends.front();
  return ids;
}

std::vector<TokenizerFile> Tokenizer::files() const {
  std::vector<TokenizerFile> files = own_files();
  if (files.empty()) return rules_.files;
  const bool was_read = std::ranges::contains(rules_.files, files.front().name, &TokenizerFile::name);
  // vocab.json and merges.txt repeat what this program wrote into tokenizer.json, not what others did.
  if (was_read) files.resize(std::min<std::size_t>(files.size(), 2));
  for (const TokenizerFile& file : rules_.files) {
    const auto same = std::ranges::find(files, file.name, &TokenizerFile::name);
    if (same == files.end()) {
      files.push_back(file);
    } else {
      *same = file;
    }
  }
  return files;
}

std::string Tokenizer::fingerprint() const {
  return sha256(own_files().front().contents);
}

std::string StreamDecoder::push(Token token) {
  parts_.push_back(token);
  if (tokenizer_->is_part(token)) return {};
  pending_ += tokenizer_->decode_more(std::exchange(parts_, {}));
  const std::size_t complete = complete_utf8_prefix(pending_);
  std::string out = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return out;
}

std::string StreamDecoder::finish() {
  if (!parts_.empty()) pending_ += tokenizer_->decode_more(std::exchange(parts_, {}));
  return replace_invalid_utf8(std::exchange(pending_, {}));
}

}  // namespace vkgpt::text
