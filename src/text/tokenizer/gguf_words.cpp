#include "text/tokenizer/gguf_words.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

namespace vkgpt::text {
namespace {

constexpr std::string_view kSingleDigitWords = "smollm";

/// A rule for words that llama.cpp has compiled in, by its name there: expressions that cut one after the
/// other.
struct KnownWords {
  std::array<std::string_view, 5> regexes;
  bool ignore_merges = false;
  std::string_view name;

  /// As `SplitSequence::regex` writes it.
  std::string joined() const {
    std::string all;
    for (const std::string_view regex : regexes) {
      if (!regex.empty()) all += std::string(all.empty() ? "" : "\n") + std::string(regex);
    }
    return all;
  }
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
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// DeepSeek's files have the line ends themselves.
constexpr std::string_view kDeepSeek3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
constexpr auto kKnownWords = std::to_array<KnownWords>(
    {{.regexes = {kLlama3}, .ignore_merges = true, .name = "llama-bpe"},
     {.regexes = {kLlama3}, .ignore_merges = false, .name = "dbrx"},
     {.regexes = {kQwen2}, .ignore_merges = false, .name = "qwen2"},
     {.regexes = {kO200k}, .ignore_merges = false, .name = "gpt-4o"},
     {.regexes = {kTekken}, .ignore_merges = true, .name = "tekken"},
     {.regexes = {R"(\p{N}{1,3})", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", kDeepSeek3},
      .ignore_merges = false,
      .name = "deepseek-v3"},
     {.regexes = {"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
                  R"(\p{N})"},
      .ignore_merges = false,
      .name = "deepseek-coder"}});

/// Other names of the same rules.
std::string_view without_alias(std::string_view name) {
  constexpr auto kAliases =
      std::to_array<std::pair<std::string_view, std::string_view>>({{"llama3", "llama-bpe"},
                                                                    {"llama-v3", "llama-bpe"},
                                                                    {"falcon3", "llama-bpe"},
                                                                    {"smaug-bpe", "dbrx"},
                                                                    {"deepseek-r1-qwen", "qwen2"},
                                                                    {"megrez", "qwen2"},
                                                                    {"llama4", "gpt-4o"}});
  const auto found = std::ranges::find(kAliases, name, &std::pair<std::string_view, std::string_view>::first);
  return found == kAliases.end() ? name : found->second;
}

/// tiktoken's cl100k takes the white space that ends a text as one word; llama.cpp has Llama 3's rule, which
/// cuts it at its last line break.
std::string without_whole_end(std::string regex) {
  constexpr std::string_view kWholeEnd = R"(|\s+(?![\s\S]))";
  const std::size_t at = regex.find(kWholeEnd);
  return at == std::string::npos ? regex : regex.erase(at, kWholeEnd.size());
}

}  // namespace

std::string_view gguf_words_name(const BpeTokenizer& tokenizer) {
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
      if (known.joined() != reduced) continue;
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

GgufWords gguf_words(std::string_view name, const std::string& where) {
  constexpr std::array<std::string_view, 5> kPlain = {kGpt2Words, "gpt2", "default", "phi-2", "jina-v2-code"};
  constexpr std::array<std::string_view, 4> kSingle = {kSingleDigitWords, "starcoder", "refact", "codeshell"};
  if (std::ranges::contains(kPlain, name)) return {};
  if (std::ranges::contains(kSingle, name)) return {.digits = true};
  name = without_alias(name);
  for (const KnownWords& known : kKnownWords) {
    if (known.name != name) continue;
    GgufWords words{
        .digits = false, .regexes = {}, .ignore_merges = known.ignore_merges, .nfc = name == "qwen2"};
    for (const std::string_view regex : known.regexes) {
      if (!regex.empty()) words.regexes.emplace_back(regex);
    }
    return words;
  }
  fail("{}: llama.cpp's rule {} for words is not known here: take the model's tokenizer.json", where,
       json_quoted(name));
}

}  // namespace vkgpt::text
