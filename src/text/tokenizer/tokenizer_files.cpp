#include "text/tokenizer/tokenizer_files.hpp"

#include <array>
#include <format>
#include <iterator>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"

#include "text/tokenizer/tokenizer_formats.hpp"

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
  return std::format(
      R"({{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": {}}})",
      use_regex);
}

std::string pre_tokenizer(const SplitPattern& split) {
  const std::string regex = split.regex();
  if (regex.empty()) return byte_level_step(false);
  std::string first;
  if (const Digits* digits = gpt2_digits(split); digits != nullptr) {
    if (*digits == Digits::kWithSpace) return byte_level_step(true);
    first = std::format(R"({{"type": "Digits", "individual_digits": {}}})", *digits == Digits::kIndividual);
  } else {
    first = std::format(
        R"({{"type": "Split", "pattern": {{"Regex": {}}}, "behavior": "Isolated", "invert": false}})",
        json_text(regex));
  }
  return std::format(R"({{"type": "Sequence", "pretokenizers": [{}, {}]}})", first,
                     byte_level_step(gpt2_digits(split) != nullptr));
}

std::string added_tokens(const BpeVocabulary& vocabulary) {
  std::string out = "[";
  for (const BpeVocabulary::Special& special : vocabulary.specials) {
    std::format_to(std::back_inserter(out),
                   R"({}{{"id": {}, "content": {}, "single_word": false, "lstrip": false, "rstrip": false, )"
                   R"("normalized": false, "special": {}}})",
                   out.size() == 1 ? "\n    " : ",\n    ", special.token, json_text(special.name),
                   !special.in_text);
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
  return std::format(
      "{{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": {},\n"
      "  \"normalizer\": {},\n  \"pre_tokenizer\": {},\n  \"post_processor\": null,\n"
      "  \"decoder\": {},\n  \"model\": {{\n    \"type\": \"BPE\",\n"
      "    \"dropout\": null,\n    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n"
      "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n"
      "    \"ignore_merges\": {},\n    \"vocab\": {},\n    \"merges\": [{}]\n  }}\n}}\n",
      added_tokens(vocabulary), vocabulary.nfc ? R"({"type": "NFC"})" : "null", pre_tokenizer(split),
      byte_level_step(true), vocabulary.ignore_merges, vocab_object(names, "\n      "),
      merges.empty() ? "" : merges + "\n    ");
}

std::vector<TokenizerFile> BpeTokenizer::files() const {
  const std::vector<std::string> names = file_names(vocabulary_);
  std::string merges = "#version: 0.2\n";
  for (const BpeVocabulary::Merge& merge : vocabulary_.merges) {
    merges += names[static_cast<std::size_t>(merge.left)];
    merges += ' ';
    merges += names[static_cast<std::size_t>(merge.right)];
    merges += '\n';
  }
  return {{kTokenizerFile, write_tokenizer_json(vocabulary_, *split_)},
          {kTokenizerConfigFile, tokenizer_config(vocabulary_.end_of_text, vocabulary_.begin_of_text)},
          {kVocabFile, vocab_object(names, "") + "\n"},
          {kMergesFile, std::move(merges)}};
}

}  // namespace vkgpt::text
