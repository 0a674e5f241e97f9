#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/text/tokenizer/bpe_trainer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "fuzz/fuzz_target.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::fuzz {

namespace {

/// Tokens give the bytes back, and a safe beginning can be encoded by itself.
void check_encoding(const text::BpeTokenizer& tokenizer, std::string_view input) {
  const std::vector<text::Token> tokens = tokenizer.encode(input);
  VKGPT_CHECK(tokenizer.decode(tokens) == input);
  const std::size_t cut = tokenizer.safe_prefix(input.substr(0, input.size() / 2));
  VKGPT_CHECK(cut <= input.size() / 2, "{} of {}", cut, input.size());
  std::vector<text::Token> parts = tokenizer.encode(input.substr(0, cut));
  tokenizer.append_tokens(input.substr(cut), parts);
  VKGPT_CHECK(parts == tokens, "cut at {} of {}", cut, input.size());
  VKGPT_CHECK(tokenizer.decode(tokenizer.encode_with_special(input)) == input);
}

}  // namespace

/// GPT-2's tokenizer and one that the input itself trains.
VKGPT_FUZZ_TARGET(encoding) {
  static const std::unique_ptr<text::BpeTokenizer> kGpt2 = text::make_gpt2_tokenizer();
  check_encoding(*kGpt2, input);
  constexpr std::array kPatterns = {"gpt2", "cl100k", "o200k", "none"};
  const char* const pattern = kPatterns[input.size() % kPatterns.size()];
  bool given = false;
  const auto next = [&]() -> std::optional<text::TextPiece> {
    if (std::exchange(given, true)) return std::nullopt;
    return text::TextPiece{.text = std::string(input), .ends_document = true};
  };
  const text::BpeTrainerConfig config = {.vocab_size = 320, .split_pattern = pattern, .threads = 1};
  const text::BpeTokenizer trained(text::train_bpe(next, config).value(), text::make_split_pattern(pattern),
                                   "the trained tokenizer");
  check_encoding(trained, input);
}

}  // namespace vkgpt::fuzz
