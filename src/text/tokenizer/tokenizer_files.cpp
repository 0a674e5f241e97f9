#include "text/tokenizer/tokenizer_files.hpp"

#include <array>
#include <format>
#include <iterator>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "text/tokenizer/regex_split.hpp"
#include "text/tokenizer/split_sequence.hpp"

namespace vkgpt::text {
namespace {

/// Names of tokens as they stand in files, by number: byte-level, special ones as they are, empty for none.
std::vector<std::string> file_names(const BpeVocabulary& vocabulary) {
  std::vector<std::string> names;
  names.reserve(vocabulary.tokens.size());
  for (const std::string& token : vocabulary.tokens) names.push_back(to_byte_level(token));
  for (const BpeVocabulary::Special& special : vocabulary.specials) {
    names[static_cast<std::size_t>(special.token)] = special.name;
  }
  return names;
}

/// `{"token": number, ...}`, with `indent` before each.
std::string vocab_object(const std::vector<std::string>& names, std::string_view indent) {
  std::string out = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    std::format_to(std::back_inserter(out), "{}{}{}: {}", out.size() == 1 ? "" : ",", indent,
                   json_text(names[i]), i);
  }
  return out + "}";
}

std::string byte_level_step(bool use_regex) {
  return vkgpt::format(
      R"({{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": {}}})",
      use_regex);
}

/// A step other than ByteLevel.
std::string split_step(const SplitPattern& split) {
  if (const auto* digits = dynamic_cast<const DigitSplit*>(&split); digits != nullptr) {
    return vkgpt::format(R"({{"type": "Digits", "individual_digits": {}}})", digits->individual());
  }
  const auto* regex = dynamic_cast<const RegexSplit*>(&split);
  const auto behavior = regex == nullptr ? SplitBehavior::kIsolated : regex->behavior();
  return vkgpt::format(
      R"({{"type": "Split", "pattern": {{"Regex": {}}}, "behavior": "{}", "invert": false}})",
      json_text(split.regex()), kSplitBehaviorNames[static_cast<std::size_t>(behavior)]);
}

bool is_gpt2_words(const SplitPattern& split) {
  const Digits* digits = gpt2_digits(split);
  return digits != nullptr && *digits == Digits::kWithSpace;
}

std::string pre_tokenizer(const SplitPattern& split) {
  if (split.regex().empty()) return byte_level_step(false);
  if (is_gpt2_words(split)) return byte_level_step(true);
  std::string first;
  bool use_regex = false;
  if (const Digits* digits = gpt2_digits(split); digits != nullptr) {
    first = split_step(DigitSplit(*digits == Digits::kIndividual));
    use_regex = true;
  } else if (const auto* sequence = dynamic_cast<const SplitSequence*>(&split); sequence != nullptr) {
    for (const auto& step : sequence->steps()) {
      use_regex = is_gpt2_words(*step) && step == sequence->steps().back();
      if (!use_regex) first += (first.empty() ? "" : ", ") + split_step(*step);
    }
  } else {
    first = split_step(split);
  }
  return vkgpt::format(R"({{"type": "Sequence", "pretokenizers": [{}, {}]}})", first,
                       byte_level_step(use_regex));
}

std::string added_tokens(const BpeVocabulary& vocabulary) {
  std::string out = "[";
  for (const AddedToken& one : vocabulary.specials) {
    std::format_to(std::back_inserter(out),
                   R"({}{{"id": {}, "content": {}, "single_word": {}, "lstrip": {}, "rstrip": {}, )"
                   R"("normalized": {}, "special": {}}})",
                   out.size() == 1 ? "\n    " : ",\n    ", one.token, json_text(one.name), one.single_word,
                   one.lstrip, one.rstrip, one.normalized, !one.in_text);
  }
  return out + (out.size() == 1 ? "]" : "\n  ]");
}

}  // namespace

std::string json_text(std::string_view text) {
  return nlohmann::json(std::string(text)).dump();
}

std::string tokenizer_config(const std::string& end_of_text, const std::string& begin_of_text) {
  nlohmann::ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                   {"clean_up_tokenization_spaces", false},
                                   {"add_prefix_space", false}};
  const std::string& begin = begin_of_text.empty() ? end_of_text : begin_of_text;
  if (!begin.empty()) config["bos_token"] = begin;
  if (!end_of_text.empty()) {
    config["eos_token"] = end_of_text;
    config["unk_token"] = end_of_text;
  }
  // The length is the model's affair: this is what Hugging Face writes for "no limit".
  std::string text = config.dump(2);
  text.resize(text.size() - 2);
  return text + ",\n  \"model_max_length\": 1000000000000000019884624838656\n}\n";
}

std::string write_tokenizer_json(const BpeVocabulary& vocabulary, const SplitPattern& split) {
  const std::vector<std::string> names = file_names(vocabulary);
  std::string merges;
  for (const BpeVocabulary::Merge& merge : vocabulary.merges) {
    std::format_to(std::back_inserter(merges), "{}      {}", merges.empty() ? "\n" : ",\n",
                   json_text(names[static_cast<std::size_t>(merge.left)] + " " +
                             names[static_cast<std::size_t>(merge.right)]));
  }
  return vkgpt::format(
      "{{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": {},\n"
      "  \"normalizer\": {},\n  \"pre_tokenizer\": {},\n  \"post_processor\": null,\n"
      "  \"decoder\": {},\n  \"model\": {{\n    \"type\": \"BPE\",\n"
      "    \"dropout\": null,\n    \"unk_token\": {},\n    \"continuing_subword_prefix\": null,\n"
      "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": {},\n    \"byte_fallback\": false,\n"
      "    \"ignore_merges\": {},\n    \"vocab\": {},\n    \"merges\": [{}]\n  }}\n}}\n",
      added_tokens(vocabulary), vocabulary.nfc ? R"({"type": "NFC"})" : "null", pre_tokenizer(split),
      byte_level_step(true),
      vocabulary.unknown ? json_text(names[static_cast<std::size_t>(*vocabulary.unknown)]) : "null",
      vocabulary.fuse_unknown, vocabulary.ignore_merges, vocab_object(names, "\n      "),
      merges.empty() ? "" : merges + "\n    ");
}

std::vector<TokenizerFile> write_tokenizer_files(const BpeVocabulary& vocabulary, const SplitPattern& split) {
  const std::vector<std::string> names = file_names(vocabulary);
  std::string merges = "#version: 0.2\n";
  for (const BpeVocabulary::Merge& merge : vocabulary.merges) {
    merges += names[static_cast<std::size_t>(merge.left)];
    merges += ' ';
    merges += names[static_cast<std::size_t>(merge.right)];
    merges += '\n';
  }
  return {{kTokenizerFile, write_tokenizer_json(vocabulary, split)},
          {kTokenizerConfigFile, tokenizer_config(vocabulary.end_of_text, vocabulary.begin_of_text)},
          {kVocabFile, vocab_object(names, "") + "\n"},
          {kMergesFile, std::move(merges)}};
}

}  // namespace vkgpt::text
