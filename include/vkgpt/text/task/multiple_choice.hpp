#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// A question with its answers, as lm-evaluation-harness puts it to a model.
struct ChoiceItem {
  std::string query;                 ///< what stands before an answer
  std::vector<std::string> choices;  ///< at least two; each is preceded by a space
  std::size_t gold = 0;
  std::string subject = {};   ///< examples are of the same one
  std::string preamble = {};  ///< what stands before examples and query
};

/// Reads a record of one of the forms:
/// - {"query", "choices": [...], "gold"};
/// - HellaSwag's {"activity_label", "ctx_a", "ctx_b" (or "ctx"), "endings", "label"};
/// - ARC's {"question": {"stem", "choices": [{"text", "label"}]}, "answerKey"}, or
///   {"question", "choices": {"text": [...], "label": [...]}, "answerKey"};
/// - MMLU's {"question", "choices": [...], "answer" (a number or a letter), "subject"}: the choices become
/// letters. Throws `Error`, which begins with `where`.
ChoiceItem read_choice_item(std::string_view record, const std::string& where);

/// The items of a file of JSON Lines. Throws `Error` with the line.
std::vector<ChoiceItem> read_choice_items(const Path& file);

/// The tokens of a text, of which those from `first_scored` on are an answer.
struct ScoredText {
  std::vector<Token> tokens;
  std::size_t first_scored = 0;  ///< at least 1
};

/// The answers of an item behind its preamble, `examples` (with their right answers, two line ends after
/// each) and its query. The tokens are those of the whole text, of which as many as the text without the
/// answer has are not scored; of more than `most` the last are kept. A text begins with what the tokenizer
/// puts before texts, or, where nothing would stand before the answer, with the token that ends texts.
std::vector<ScoredText> scored_texts(const ChoiceItem& item, std::span<const ChoiceItem> examples,
                                     const Tokenizer& tokenizer, std::size_t most);

/// Which answer is the best: of the largest log-likelihood, or of the largest divided by the answer's
/// characters.
std::size_t best_choice(std::span<const double> log_likelihoods);
std::size_t best_choice_by_length(std::span<const double> log_likelihoods, const ChoiceItem& item);

/// A share of n items that was reached, with its standard error: sqrt(p (1 - p) / (n - 1)).
struct Share {
  std::uint64_t count = 0;
  std::uint64_t of = 0;

  double value() const { return static_cast<double>(count) / static_cast<double>(of); }
  double standard_error() const;
};

}  // namespace vkgpt::text
