#include "vkgpt/text/tokenizer/gguf_vocabulary.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/piece_tokenizer.hpp"

#include "text/tokenizer/gguf_words.hpp"
#include "text/tokenizer/piece_model.hpp"

namespace vkgpt::text {
namespace {

constexpr std::string_view kAddedEndOfText = "<|endoftext|>";

/// The tokens in llama.cpp's form, while they are collected.
class TokenCollector {
 public:
  void add(std::string text, std::int32_t type) {
    tokens_.push_back(std::move(text));
    types_.push_back(type);
  }
  void set(Token token, std::string text, std::int32_t type) {
    tokens_[static_cast<std::size_t>(token)] = std::move(text);
    types_[static_cast<std::size_t>(token)] = type;
  }
  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  void pad_to(std::int64_t rows) {
    while (size() < rows) add(padding(size()), kGgufUnused);
  }
  static std::string padding(std::int64_t token) { return vkgpt::format("[PAD{}]", token); }

  /// Tokens that stand for nothing.
  std::vector<std::int32_t> unused() const {
    std::vector<std::int32_t> tokens;
    for (std::size_t i = 0; i < types_.size(); ++i) {
      if (types_[i] == kGgufUnused) tokens.push_back(static_cast<std::int32_t>(i));
    }
    return tokens;
  }

  /// llama.cpp looks tokens up by their text and stops where two are alike.
  void check_unique() const {
    std::unordered_set<std::string_view> seen;
    for (const std::string& token : tokens_) {
      if (!seen.insert(token).second) {
        fail("two tokens are both written '{}', which llama.cpp does not read; it cannot be exported to GGUF",
             printable(token));
      }
    }
  }

  void append_to(std::vector<model::GgufEntry>& entries) {
    entries.push_back({"tokenizer.ggml.tokens", std::move(tokens_)});
    entries.push_back({"tokenizer.ggml.token_type", std::move(types_)});
  }

 private:
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
};

TokenCollector bpe_tokens(const BpeVocabulary& vocabulary) {
  TokenCollector table;
  for (const std::string& bytes : vocabulary.tokens) {
    const bool absent = bytes.empty();
    table.add(absent ? TokenCollector::padding(table.size()) : to_byte_level(bytes),
              absent ? kGgufUnused : kGgufNormal);
  }
  for (const BpeVocabulary::Special& special : vocabulary.specials) {
    table.set(special.token, special.name, special.in_text ? kGgufUserDefined : kGgufControl);
  }
  return table;
}

std::vector<std::string> bpe_merges(const BpeVocabulary& vocabulary) {
  std::vector<std::string> merges;
  merges.reserve(vocabulary.merges.size());
  const auto text = [&](Token token) {
    return to_byte_level(vocabulary.tokens[static_cast<std::size_t>(token)]);
  };
  for (const BpeVocabulary::Merge& merge : vocabulary.merges) {
    merges.push_back(text(merge.left) + ' ' + text(merge.right));
  }
  return merges;
}

/// One token per character: llama.cpp finds them where each is one byte.
TokenCollector character_tokens(const Tokenizer& tokenizer) {
  TokenCollector table;
  for (Token token = 0; token < tokenizer.vocab_size(); ++token) {
    const std::string character = tokenizer.decode({&token, 1});
    if (character.size() != 1 || static_cast<unsigned char>(character[0]) >= 0x80) {
      fail(
          "llama.cpp has no tokenizer of characters beyond ASCII such as '{}'; to export to GGUF, train with "
          "--tokenizer bpe",
          printable(character));
    }
    table.add(to_byte_level(character), kGgufNormal);
  }
  return table;
}

/// SentencePiece's tokens; each merge makes a token, and the stronger it is, the higher the token's score.
TokenCollector piece_tokens(const PieceTokenizer& tokenizer, std::vector<float>& scores) {
  const BpeVocabulary& vocabulary = tokenizer.vocabulary();
  TokenCollector table;
  for (Token token = 0; token < tokenizer.vocab_size(); ++token) {
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(token)];
    const std::int32_t type = tokenizer.is_part(token)      ? kGgufByte
                              : token == vocabulary.unknown ? kGgufUnknown
                                                            : kGgufNormal;
    table.add(text.empty() ? TokenCollector::padding(token) : text, text.empty() ? kGgufUnused : type);
  }
  for (const AddedToken& added : vocabulary.specials) {
    if (added.token == vocabulary.unknown) continue;
    table.set(added.token, added.name, added.in_text ? kGgufUserDefined : kGgufControl);
  }
  if (tokenizer.model().unigram) {
    const std::vector<double>& own = tokenizer.model().scores;
    scores.assign(vocabulary.tokens.size(), 0.0F);
    std::ranges::transform(own, scores.begin(), [](double score) { return static_cast<float>(score); });
    return table;
  }
  constexpr float kNeverMerged = -1e9F;
  scores.assign(vocabulary.tokens.size(), kNeverMerged);
  for (std::size_t rank = vocabulary.merges.size(); rank-- > 0;) {
    scores[static_cast<std::size_t>(vocabulary.merges[rank].merged)] = -static_cast<float>(rank);
  }
  return table;
}

bool begins_with_space(const PieceTokenizer& tokenizer) {
  return tokenizer.model().prepends ||
         std::ranges::any_of(tokenizer.model().steps, [](const PieceStep& step) {
           const auto* meta = std::get_if<Metaspace>(&step);
           return meta != nullptr && meta->prepend != Metaspace::Prepend::kNever;
         });
}

/// What is done to a text before it is cut into pieces, where llama.cpp can.
void add_piece_rules(const PieceTokenizer& tokenizer, std::vector<model::GgufEntry>& entries) {
  const PieceModel& model = tokenizer.model();
  entries.push_back({"tokenizer.ggml.add_space_prefix", begins_with_space(tokenizer)});
  if (!model.unigram) return;
  entries.push_back({"tokenizer.ggml.remove_extra_whitespaces", model.squeezes});
  if (!model.character_map.empty()) {
    entries.push_back({"tokenizer.ggml.precompiled_charsmap",
                       std::vector<std::uint8_t>(model.character_map.begin(), model.character_map.end())});
  }
  if (tokenizer.vocabulary().unknown) {
    entries.push_back(
        {"tokenizer.ggml.unknown_token_id", static_cast<std::uint32_t>(*tokenizer.vocabulary().unknown)});
  }
  if (model.rewrites) log_warning("llama.cpp does not normalize text in all ways that this tokenizer does");
  if (tokenizer.vocabulary().byte_fallback) {
    log_warning(
        "llama.cpp takes a character without a token for unknown where this tokenizer takes its bytes");
  }
}

/// llama.cpp's word for the kind of a tokenizer.
std::string gguf_kind(const PieceTokenizer* piece) {
  if (piece == nullptr) return "gpt2";
  return piece->model().unigram ? "t5" : "llama";
}

/// Beginning, ends and padding of texts, and the template of conversations. llama.cpp takes "end of turn" and
/// "end of message" for ends too.
void add_token_ids(const Tokenizer& tokenizer, Token end, std::int64_t rows,
                   std::vector<model::GgufEntry>& entries) {
  const auto add = [&](const char* name, Token token) {
    // Configurations name tokens that there are not; llama.cpp stops at those.
    if (token < 0 || token >= rows) return;
    entries.push_back({vkgpt::format("tokenizer.ggml.{}_token_id", name), static_cast<std::uint32_t>(token)});
  };
  const model::TokenIds ids = tokenizer.token_ids();
  add("bos", ids.begin.value_or(end));
  add("eos", end);
  std::vector<std::int32_t> others = ids.ends;
  std::erase(others, end);
  constexpr std::array<const char*, 2> kOthers = {"eot", "eom"};
  for (std::size_t i = 0; i < std::min(others.size(), kOthers.size()); ++i) add(kOthers[i], others[i]);
  if (ids.pad) add("padding", *ids.pad);
  const TextRules& rules = tokenizer.rules();
  entries.push_back({"tokenizer.ggml.add_bos_token", !rules.before.empty()});
  if (!rules.after.empty()) entries.push_back({"tokenizer.ggml.add_eos_token", true});
  if (!rules.chat_template.empty()) entries.push_back({"tokenizer.chat_template", rules.chat_template});
  std::vector<std::string> names;
  for (const auto& [name, source] : rules.other_chat_templates) {
    entries.push_back({"tokenizer.chat_template." + name, source});
    names.push_back(name);
  }
  if (!names.empty()) entries.push_back({"tokenizer.chat_templates", std::move(names)});
}

}  // namespace

GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer, std::int64_t model_rows) {
  VKGPT_CHECK(model_rows >= tokenizer.vocab_size());
  const auto* bpe = dynamic_cast<const BpeTokenizer*>(&tokenizer);
  const auto* piece = dynamic_cast<const PieceTokenizer*>(&tokenizer);
  std::vector<float> scores;
  TokenCollector table = bpe != nullptr     ? bpe_tokens(bpe->vocabulary())
                         : piece != nullptr ? piece_tokens(*piece, scores)
                                            : character_tokens(tokenizer);
  table.pad_to(model_rows);
  std::optional<Token> end = tokenizer.end_of_text();
  const model::TokenIds ids = tokenizer.token_ids();
  if (!end && !ids.ends.empty() && ids.ends.front() < table.size()) end = ids.ends.front();
  std::vector<std::int32_t> never_generated = table.unused();
  if (!end) {
    end = static_cast<Token>(table.size());
    never_generated.push_back(*end);
    table.add(std::string(kAddedEndOfText), kGgufControl);
  }
  table.check_unique();
  if (bpe != nullptr && bpe->vocabulary().nfc) {
    log_warning("llama.cpp does not bring text into Unicode's NFC as this tokenizer does");
  }

  GgufVocabulary result{.entries = {}, .rows = table.size()};
  result.entries.push_back({"tokenizer.ggml.model", gguf_kind(piece)});
  const std::string_view words = piece != nullptr ? "default"
                                 : bpe == nullptr ? kGpt2Words
                                                  : gguf_words_name(*bpe);
  result.entries.push_back({"tokenizer.ggml.pre", std::string(words)});
  table.append_to(result.entries);
  if (piece != nullptr) {
    scores.resize(static_cast<std::size_t>(result.rows), scores.empty() ? 0.0F : scores.back());
    result.entries.push_back({"tokenizer.ggml.scores", std::move(scores)});
    add_piece_rules(*piece, result.entries);
  } else {
    result.entries.push_back({"tokenizer.ggml.merges",
                              bpe == nullptr ? std::vector<std::string>() : bpe_merges(bpe->vocabulary())});
  }
  add_token_ids(tokenizer, *end, result.rows, result.entries);
  if (!never_generated.empty()) {
    result.entries.push_back({"tokenizer.ggml.suppress_tokens", std::move(never_generated)});
  }
  return result;
}

}  // namespace vkgpt::text
