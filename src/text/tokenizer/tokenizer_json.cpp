#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "text/tokenizer/json_fields.hpp"
#include "text/tokenizer/piece_json.hpp"
#include "text/tokenizer/regex_split.hpp"
#include "text/tokenizer/split_sequence.hpp"
#include "text/tokenizer/text_rules.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"
#include "text/tokenizer/vocabulary_builder.hpp"

namespace vkgpt::text {
namespace {

constexpr std::string_view kSupported =
    "vkgpt reads byte-level BPE (pre-tokenizers ByteLevel, Split and Digits; no normalizer or NFC)";

std::unique_ptr<SplitPattern> split_step(const Json& step, const std::string& where) {
  const Json& pattern = json_member(step, "pattern", where);
  const bool is_regex = pattern.is_object() && pattern.contains("Regex");
  if (!is_regex && !(pattern.is_object() && pattern.contains("String"))) {
    fail("{}: a Split step without a \"Regex\" or a \"String\" is not supported", where);
  }
  const std::string regex =
      is_regex ? json_string(pattern, "Regex", where) : literal_regex(json_string(pattern, "String", where));
  const std::string behavior = json_string(step, "behavior", where);
  const bool invert = flag_member(step, "invert", false, where);
  const auto* const named = std::ranges::find(kSplitBehaviorNames, behavior);
  // What the pattern does not match is dropped then; the known patterns match everything.
  if (behavior == "Removed" && invert) {
    auto split = make_regex_split(regex, where);
    if (is_known_split(*split)) return split;
  }
  if (named == kSplitBehaviorNames.end() || behavior == "Removed" || invert) {
    fail("{}: a Split step with behavior {}{} is not supported", where, json_quoted(behavior),
         invert ? ", inverted," : "");
  }
  const auto kind = static_cast<SplitBehavior>(named - kSplitBehaviorNames.begin());
  if (kind == SplitBehavior::kIsolated) return make_regex_split(regex, where);
  return std::make_unique<RegexSplit>(regex, where, kind);
}

/// The splits of steps before ByteLevel.
std::vector<std::unique_ptr<SplitPattern>> read_first_steps(std::span<const Json* const> steps,
                                                            const std::string& where) {
  std::vector<std::unique_ptr<SplitPattern>> splits;
  for (const Json* step : steps) {
    const std::string type = type_of(*step, where);
    if (type == "Split") {
      splits.push_back(split_step(*step, where));
    } else if (type == "Digits") {
      splits.push_back(std::make_unique<DigitSplit>(flag_member(*step, "individual_digits", false, where)));
    } else {
      fail("{}: pre-tokenizer {} is not supported: {}", where, json_quoted(type), kSupported);
    }
  }
  return splits;
}

/// The split of `steps`, a list of pre-tokenizers that ends with ByteLevel.
std::unique_ptr<SplitPattern> read_steps(const std::vector<const Json*>& steps, const std::string& where) {
  std::string names;
  for (const Json* step : steps) names += (names.empty() ? "" : ", ") + type_of(*step, where);
  if (steps.empty() || type_of(*steps.back(), where) != "ByteLevel") {
    fail("{}: pre-tokenizers [{}] are not supported: {}", where, printable(names), kSupported);
  }
  if (flag_member(*steps.back(), "add_prefix_space", true, where)) {
    fail("{}: \"add_prefix_space\" is not supported: {}", where, kSupported);
  }
  const bool use_regex = flag_member(*steps.back(), "use_regex", true, where);
  if (steps.size() == 1) return make_split_pattern(use_regex ? "gpt2" : "none");
  auto splits = read_first_steps(std::span(steps).first(steps.size() - 1), where);
  if (splits.size() == 1 && use_regex) {
    if (const auto* digits = dynamic_cast<const DigitSplit*>(splits[0].get()); digits != nullptr) {
      return make_gpt2_split(digits->individual() ? Digits::kIndividual : Digits::kRuns);
    }
  }
  if (use_regex) splits.push_back(make_split_pattern("gpt2"));
  if (splits.size() == 1 && dynamic_cast<const DigitSplit*>(splits[0].get()) == nullptr)
    return std::move(splits[0]);
  return std::make_unique<SplitSequence>(std::move(splits));
}

std::unique_ptr<SplitPattern> read_pre_tokenizer(const Json& root, const std::string& where) {
  const Json* step = optional_member(root, "pre_tokenizer", where);
  if (step == nullptr) fail("{}: it has no pre-tokenizer: {}", where, kSupported);
  std::vector<const Json*> steps;
  if (type_of(*step, where) == "Sequence") {
    for (const Json& one : list_member(*step, "pretokenizers", where)) steps.push_back(&one);
  } else {
    steps.push_back(step);
  }
  return read_steps(steps, where);
}

/// Whether text is normalized to NFC.
bool read_normalizer(const Json& root, const std::string& where) {
  const Json* step = optional_member(root, "normalizer", where);
  if (step == nullptr) return false;
  if (type_of(*step, where) == "Sequence") {
    const Json& steps = list_member(*step, "normalizers", where);
    if (steps.empty()) return false;
    if (steps.size() > 1) fail("{}: a sequence of normalizers is not supported: {}", where, kSupported);
    step = &steps.front();
  }
  const std::string type = type_of(*step, where);
  if (type != "NFC") fail("{}: normalizer {} is not supported: {}", where, json_quoted(type), kSupported);
  return true;
}

const Json& read_model(const Json& root, const std::string& where) {
  const Json& model = json_member(root, "model", where);
  const Json* type = optional_member(model, "type", where);
  if (type != nullptr && *type != "BPE") {
    fail("{}: a model of type {} is not supported: {}", where,
         json_quoted(type->is_string() ? type->get<std::string>() : type->dump()), kSupported);
  }
  if (const Json* dropout = optional_member(model, "dropout", where); dropout != nullptr && *dropout != 0) {
    fail("{}: BPE dropout is not supported", where);
  }
  if (flag_member(model, "byte_fallback", false, where))
    fail("{}: \"byte_fallback\" is not supported: {}", where, kSupported);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* value = optional_member(model, affix, where);
    if (value != nullptr && (!value->is_string() || !value->get_ref<const std::string&>().empty()))
      fail("{}: {} is not supported: {}", where, json_quoted(affix), kSupported);
  }
  return model;
}

void read_added_tokens(const Json& root, VocabularyBuilder& builder, const std::string& where) {
  const Json* tokens = optional_member(root, "added_tokens", where);
  if (tokens == nullptr) return;
  if (!tokens->is_array()) fail("{}: \"added_tokens\" must be a list", where);
  for (const Json& token : *tokens) {
    json_unsigned(token, "id", where, UINT32_MAX);  // what it is does not count
    builder.add_special(read_added_token(token, where));
  }
}

/// Whether this is what `CharTokenizer` writes.
bool is_char_tokenizer(const Json& root) {
  const auto decoder = root.find("decoder");
  return decoder != root.end() && decoder->is_object() && decoder->value("type", Json()) == "Fuse";
}

/// Byte-level BPE.
std::unique_ptr<Tokenizer> read_byte_level(const Json& root, const SpecialNames& names,
                                           const std::string& where) {
  const Json& model = read_model(root, where);
  if (const Json* decoder = optional_member(root, "decoder", where);
      decoder != nullptr && type_of(sole_decoder(*decoder), where) != "ByteLevel") {
    fail("{}: decoder {} is not supported: {}", where, json_quoted(type_of(*decoder, where)), kSupported);
  }
  const bool nfc = read_normalizer(root, where);
  std::unique_ptr<SplitPattern> split = read_pre_tokenizer(root, where);

  VocabularyBuilder builder(where);
  builder.add_vocab(json_member(model, "vocab", where));
  read_added_tokens(root, builder, where);
  builder.add_named_specials(names);
  builder.place_tokens();
  builder.add_merges(model);
  const Json* unknown = optional_member(model, "unk_token", where);
  BpeVocabulary vocabulary =
      builder.finish(names, unknown == nullptr ? "" : json_string(model, "unk_token", where));
  vocabulary.fuse_unknown = vocabulary.unknown && flag_member(model, "fuse_unk", false, where);
  vocabulary.ignore_merges = flag_member(model, "ignore_merges", false, where);
  vocabulary.nfc = nfc;
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(split), where);
}

}  // namespace

std::unique_ptr<Tokenizer> parse_tokenizer_json(std::string_view json, const SpecialNames& names,
                                                const std::string& where) {
  const Json root = parse_json(json, where);
  if (!root.is_object()) fail("{}: expected a JSON object", where);
  if (is_char_tokenizer(root)) return std::make_unique<CharTokenizer>(CharTokenizer::from_json(json, where));
  std::unique_ptr<Tokenizer> tokenizer = is_piece_tokenizer(root)
                                             ? read_piece_tokenizer(json, root, names, where)
                                             : read_byte_level(root, names, where);
  TextRules rules = read_text_rules(root, names, *tokenizer, where);
  rules.files = {{kTokenizerFile, std::string(json)}};
  tokenizer->set_rules(std::move(rules));
  return tokenizer;
}

std::unique_ptr<BpeTokenizer> parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                                     const SpecialNames& names, const std::string& where) {
  VocabularyBuilder builder(where);
  builder.add_vocab(parse_json(vocab_json, where));
  builder.add_named_specials(names);
  builder.add_usual_specials();
  builder.place_tokens();
  for (const std::string_view line : merge_lines(merges_txt)) builder.add_merge(line);
  auto tokenizer = std::make_unique<BpeTokenizer>(builder.finish(names), make_split_pattern("gpt2"), where);
  tokenizer->set_rules(read_text_rules(Json::object(), names, *tokenizer, where));
  return tokenizer;
}

}  // namespace vkgpt::text
