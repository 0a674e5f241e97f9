#include "vkgpt/text/task/multiple_choice.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/corpus.hpp"

namespace vkgpt::text {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string stripped(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

/// What lm-evaluation-harness makes of WikiHow's brackets.
std::string without_brackets(std::string_view text) {
  std::string clean = stripped(text);
  replace_all(clean, " [title]", ". ");
  for (std::size_t open = clean.find('['); open != std::string::npos; open = clean.find('[', open)) {
    const std::size_t close = clean.find(']', open);
    const std::size_t line = clean.find('\n', open);
    if (close == std::string::npos) break;
    if (line < close) {
      ++open;
    } else {
      clean.erase(open, close + 1 - open);
    }
  }
  replace_all(clean, "  ", " ");
  return clean;
}

/// Python's str.capitalize, of ASCII.
std::string capitalized(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 0 && c >= 'a' && c <= 'z') text[i] = static_cast<char>(c - 'a' + 'A');
    if (i > 0 && c >= 'A' && c <= 'Z') text[i] = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// A number, or a string that is one.
std::size_t number_of(const Json& json, const char* key, const std::string& where) {
  const Json& value = json_member(json, key, where);
  if (!value.is_string()) return json_unsigned(json, key, where, 1 << 20);
  const auto& text = value.get_ref<const std::string&>();
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail("{}: \"{}\" is no number but {}", where, key, json_quoted(text));
  }
  return number;
}

std::vector<std::string> strings_of(const Json& json, const char* key, const std::string& where) {
  const Json& list = json_member(json, key, where);
  if (!list.is_array()) fail("{}: \"{}\" must be a list", where, key);
  std::vector<std::string> strings;
  for (const Json& element : list) {
    if (!element.is_string()) fail("{}: \"{}\" must be a list of strings", where, key);
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

ChoiceItem of_hellaswag(const Json& json, const std::string& where) {
  const std::string context = json.contains("ctx_a") ? json_string(json, "ctx_a", where) + " " +
                                                           capitalized(json_string(json, "ctx_b", where))
                                                     : json_string(json, "ctx", where);
  ChoiceItem item{.query = without_brackets(json_string(json, "activity_label", where) + ": " + context),
                  .choices = {},
                  .gold = number_of(json, "label", where)};
  for (const std::string& ending : strings_of(json, "endings", where))
    item.choices.push_back(without_brackets(ending));
  return item;
}

ChoiceItem of_arc(const Json& json, const std::string& where) {
  const Json& question = json_member(json, "question", where);
  ChoiceItem item;
  std::vector<std::string> labels;
  if (question.is_object()) {
    item.query = json_string(question, "stem", where);
    const Json& choices = json_member(question, "choices", where);
    if (!choices.is_array()) fail("{}: \"choices\" must be a list", where);
    for (const Json& choice : choices) {
      item.choices.push_back(json_string(choice, "text", where));
      labels.push_back(json_string(choice, "label", where));
    }
  } else {
    item.query = json_string(json, "question", where);
    const Json& choices = json_member(json, "choices", where);
    item.choices = strings_of(choices, "text", where);
    labels = strings_of(choices, "label", where);
  }
  item.query = "Question: " + item.query + "\nAnswer:";
  const std::string key = json_string(json, "answerKey", where);
  item.gold = static_cast<std::size_t>(std::ranges::find(labels, key) - labels.begin());
  return item;
}

/// A number, or a letter.
std::size_t mmlu_answer(const Json& json, const std::string& where) {
  const Json& answer = json_member(json, "answer", where);
  if (answer.is_string()) {
    const auto& text = answer.get_ref<const std::string&>();
    if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z') return static_cast<std::size_t>(text[0] - 'A');
  }
  return number_of(json, "answer", where);
}

/// The answers are the letters that the question has before what it offers.
ChoiceItem of_mmlu(const Json& json, const std::string& where) {
  const std::vector<std::string> offered = strings_of(json, "choices", where);
  constexpr std::size_t kMost = 26;
  if (offered.size() > kMost) fail("{}: {} choices, letters are there for {}", where, offered.size(), kMost);
  ChoiceItem item{.query = stripped(json_string(json, "question", where)),
                  .choices = {},
                  .gold = mmlu_answer(json, where)};
  for (const std::string& text : offered) {
    item.choices.emplace_back(1, static_cast<char>('A' + item.choices.size()));
    item.query += "\n" + item.choices.back() + ". " + text;
  }
  item.query += "\nAnswer:";
  if (!json.contains("subject")) return item;
  item.subject = json_string(json, "subject", where);
  item.preamble = item.subject;
  std::ranges::replace(item.preamble, '_', ' ');
  item.preamble =
      "The following are multiple choice questions (with answers) about " + item.preamble + ".\n\n";
  return item;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

}  // namespace

ChoiceItem read_choice_item(std::string_view record, const std::string& where) {
  const Json json = parse_json(record, where);
  if (!json.is_object()) fail("{}: not a JSON object", where);
  ChoiceItem item;
  if (json.contains("query")) {
    item = {.query = json_string(json, "query", where),
            .choices = strings_of(json, "choices", where),
            .gold = number_of(json, "gold", where)};
  } else if (json.contains("endings")) {
    item = of_hellaswag(json, where);
  } else if (json.contains("answerKey")) {
    item = of_arc(json, where);
  } else if (json.contains("answer")) {
    item = of_mmlu(json, where);
  } else {
    fail("{}: it has neither \"query\" nor \"endings\" nor \"answerKey\" nor \"answer\"", where);
  }
  if (item.choices.size() < 2) fail("{}: {} choices, at least two are needed", where, item.choices.size());
  if (item.gold >= item.choices.size())
    fail("{}: none of the {} choices is right", where, item.choices.size());
  if (std::ranges::any_of(item.choices, &std::string::empty)) fail("{}: an empty choice", where);
  return item;
}

std::vector<ChoiceItem> read_choice_items(const Path& file) {
  const std::string name = printable(file.string(), 200);
  const std::string bytes = read_bytes(file, std::uint64_t{1} << 30);
  std::vector<ChoiceItem> items;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string_view line = std::string_view(bytes).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(kSpace) == std::string_view::npos) continue;
    items.push_back(read_choice_item(line, vkgpt::format("{}: line {}", name, number)));
  }
  if (items.empty()) fail("{} holds no questions", name);
  return items;
}

std::vector<ScoredText> scored_texts(const ChoiceItem& item, std::span<const ChoiceItem> examples,
                                     const Tokenizer& tokenizer, std::size_t most) {
  std::string context = item.preamble;
  for (const ChoiceItem& example : examples) {
    context += example.query + " " + example.choices[example.gold] + "\n\n";
  }
  context += item.query;
  // Spaces at its end belong to the answer.
  const std::size_t spaces = context.size() - (context.find_last_not_of(kSpace) + 1);
  const std::string tail = context.substr(context.size() - spaces);
  context.resize(context.size() - spaces);
  std::vector<Token> before = tokenizer.rules().before;
  const std::vector<Token> alone = tokenizer.encode(context);
  if (before.empty() && alone.empty()) {
    if (const std::optional<Token> end = tokenizer.end_of_text()) before = {*end};
  }
  std::vector<ScoredText> texts;
  for (const std::string& choice : item.choices) {
    const std::vector<Token> whole = tokenizer.encode(vkgpt::format("{}{} {}", context, tail, choice));
    ScoredText text{.tokens = before, .first_scored = before.size() + std::min(alone.size(), whole.size())};
    text.tokens.insert(text.tokens.end(), whole.begin(), whole.end());
    if (text.tokens.size() > most) {
      const std::size_t cut = text.tokens.size() - most;
      text.tokens.erase(text.tokens.begin(), text.tokens.begin() + static_cast<std::ptrdiff_t>(cut));
      text.first_scored -= std::min(cut, text.first_scored);
    }
    text.first_scored = std::max<std::size_t>(text.first_scored, 1);
    texts.push_back(std::move(text));
  }
  return texts;
}

std::size_t best_choice(std::span<const double> log_likelihoods) {
  return static_cast<std::size_t>(std::ranges::max_element(log_likelihoods) - log_likelihoods.begin());
}

std::size_t best_choice_by_length(std::span<const double> log_likelihoods, const ChoiceItem& item) {
  std::vector<double> by_length;
  for (std::size_t i = 0; i < log_likelihoods.size(); ++i) {
    by_length.push_back(log_likelihoods[i] / static_cast<double>(characters(item.choices[i])));
  }
  return best_choice(by_length);
}

double Share::standard_error() const {
  if (of < 2) return 0;
  return std::sqrt(value() * (1 - value()) / static_cast<double>(of - 1));
}

}  // namespace vkgpt::text
