#include "vkgpt/text/tokenizer/gguf_vocabulary.hpp"

#include <array>
#include <format>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"

namespace vkgpt::text {
namespace {

// llama.cpp's LLAMA_TOKEN_TYPE_*.
constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;
constexpr std::int32_t kUnused = 5;

constexpr std::string_view kGpt2Words = "gpt-2";
constexpr std::string_view kSingleDigitWords = "smollm";
constexpr std::string_view kAddedEndOfText = "<|endoftext|>";

/// A rule for words that llama.cpp has compiled in, by its name there.
struct KnownWords {
  std::string_view regex;
  bool ignore_merges = false;
  std::string_view name;
};

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr auto kKnownWords = std::to_array<KnownWords>({{kLlama3, true, "llama-bpe"},
                                                        {kLlama3, false, "dbrx"},
                                                        {kQwen2, false, "qwen2"},
                                                        {kO200k, false, "gpt-4o"}});

/// tiktoken's cl100k takes the white space that ends a text as one word; llama.cpp has Llama 3's rule, which
/// cuts it at its last line break.
std::string without_whole_end(std::string regex) {
  constexpr std::string_view kWholeEnd = R"(|\s+(?![\s\S]))";
  const std::size_t at = regex.find(kWholeEnd);
  return at == std::string::npos ? regex : regex.erase(at, kWholeEnd.size());
}

std::string_view words_name(const BpeTokenizer& tokenizer) {
  const BpeVocabulary& vocabulary = tokenizer.vocabulary();
  if (vocabulary.merges.empty()) return kGpt2Words;  // how words are cut then makes no difference
  const std::string regex = tokenizer.split().regex();
  const std::string reduced = without_whole_end(regex);
  const KnownWords* best = nullptr;
  if (const Digits* digits = gpt2_digits(tokenizer.split()); digits != nullptr) {
    if (*digits == Digits::kWithSpace) return kGpt2Words;
    if (*digits == Digits::kIndividual) return kSingleDigitWords;
  } else {
    for (const KnownWords& known : kKnownWords) {
      if (known.regex != reduced) continue;
      if (best == nullptr || known.ignore_merges == vocabulary.ignore_merges) best = &known;
    }
  }
  if (best == nullptr) {
    fail(
        "llama.cpp has no rule that cuts text into words as this tokenizer does ({}); it cannot be exported "
        "to GGUF",
        regex.empty() ? std::string("the whole text is one word") : printable(regex, 200));
  }
  if (best->ignore_merges != vocabulary.ignore_merges || regex != reduced) {
    log_warning(
        "llama.cpp cuts words by its rule '{}': white space at the end of a text, or words that are tokens "
        "whatever the merges say, may become other tokens there",
        best->name);
  }
  return best->name;
}

/// The tokens in llama.cpp's form, while they are collected.
class TokenTable {
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
    while (size() < rows) add(padding(size()), kUnused);
  }
  static std::string padding(std::int64_t token) { return std::format("[PAD{}]", token); }

  /// Tokens that stand for nothing.
  std::vector<std::int32_t> unused() const {
    std::vector<std::int32_t> tokens;
    for (std::size_t i = 0; i < types_.size(); ++i) {
      if (types_[i] == kUnused) tokens.push_back(static_cast<std::int32_t>(i));
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

TokenTable bpe_tokens(const BpeVocabulary& vocabulary) {
  TokenTable table;
  for (const std::string& bytes : vocabulary.tokens) {
    const bool absent = bytes.empty();
    table.add(absent ? TokenTable::padding(table.size()) : to_byte_level(bytes), absent ? kUnused : kNormal);
  }
  for (const BpeVocabulary::Special& special : vocabulary.specials) {
    table.set(special.token, special.name, special.in_text ? kUserDefined : kControl);
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
TokenTable character_tokens(const Tokenizer& tokenizer) {
  TokenTable table;
  for (Token token = 0; token < tokenizer.vocab_size(); ++token) {
    const std::string character = tokenizer.decode({&token, 1});
    if (character.size() != 1 || static_cast<unsigned char>(character[0]) >= 0x80) {
      fail(
          "llama.cpp has no tokenizer of characters beyond ASCII such as '{}'; to export to GGUF, train with "
          "--tokenizer bpe",
          printable(character));
    }
    table.add(to_byte_level(character), kNormal);
  }
  return table;
}

}  // namespace

GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer, std::int64_t model_rows) {
  VKGPT_CHECK(model_rows >= tokenizer.vocab_size());
  const auto* bpe = dynamic_cast<const BpeTokenizer*>(&tokenizer);
  TokenTable table = bpe == nullptr ? character_tokens(tokenizer) : bpe_tokens(bpe->vocabulary());
  table.pad_to(model_rows);
  std::optional<Token> end = tokenizer.end_of_text();
  std::vector<std::int32_t> never_generated = table.unused();
  if (!end) {
    end = static_cast<Token>(table.size());
    never_generated.push_back(*end);
    table.add(std::string(kAddedEndOfText), kControl);
  }
  table.check_unique();
  std::optional<Token> begin;
  if (bpe != nullptr) begin = tokenizer.special_token(bpe->vocabulary().begin_of_text);
  if (bpe != nullptr && bpe->vocabulary().nfc) {
    log_warning("llama.cpp does not bring text into Unicode's NFC as this tokenizer does");
  }

  GgufVocabulary result{.entries = {}, .rows = table.size()};
  result.entries.push_back({"tokenizer.ggml.model", std::string("gpt2")});
  result.entries.push_back(
      {"tokenizer.ggml.pre", std::string(bpe == nullptr ? kGpt2Words : words_name(*bpe))});
  table.append_to(result.entries);
  result.entries.push_back(
      {"tokenizer.ggml.merges", bpe == nullptr ? std::vector<std::string>() : bpe_merges(bpe->vocabulary())});
  result.entries.push_back({"tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(begin.value_or(*end))});
  result.entries.push_back({"tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(*end)});
  result.entries.push_back({"tokenizer.ggml.add_bos_token", false});
  if (!never_generated.empty()) {
    result.entries.push_back({"tokenizer.ggml.suppress_tokens", std::move(never_generated)});
  }
  return result;
}

}  // namespace vkgpt::text
