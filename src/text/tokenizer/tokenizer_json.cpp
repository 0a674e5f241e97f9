#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"

#include "text/tokenizer/tokenizer_formats.hpp"
#include "text/tokenizer/vocabulary_builder.hpp"

namespace vkgpt::text {
namespace {

constexpr std::string_view kSupported =
    "vkgpt reads byte-level BPE (pre-tokenizers ByteLevel, Split and Digits; no normalizer or NFC)";

/// A member that may be missing or null.
const Json* optional_member(const Json& object, std::string_view key, const std::string& where) {
  if (!object.is_object()) fail("{}: expected a JSON object with {}", where, json_quoted(key));
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string type_of(const Json& step, const std::string& where) {
  return json_string(step, "type", where);
}

bool flag(const Json& object, std::string_view key, bool default_value, const std::string& where) {
  const Json* value = optional_member(object, key, where);
  if (value == nullptr) return default_value;
  if (!value->is_boolean()) fail("{}: {} must be true or false", where, json_quoted(key));
  return value->get<bool>();
}

const Json& list(const Json& object, std::string_view key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_array()) fail("{}: {} must be a list", where, json_quoted(key));
  return value;
}

std::unique_ptr<SplitPattern> split_step(const Json& step, const std::string& where) {
  const Json& pattern = json_member(step, "pattern", where);
  if (!pattern.is_object() || !pattern.contains("Regex")) {
    fail("{}: a Split step without a \"Regex\" is not supported", where);
  }
  const std::string behavior = json_string(step, "behavior", where);
  const bool invert = flag(step, "invert", false, where);
  auto split = make_regex_split(json_string(pattern, "Regex", where), where);
  const bool isolated = behavior == "Isolated" && !invert;
  // What the pattern does not match is dropped then; the known patterns match everything.
  const bool removed = behavior == "Removed" && invert && is_known_split(*split);
  if (!isolated && !removed) {
    fail("{}: a Split step with behavior {}{} is not supported", where, json_quoted(behavior),
         invert ? ", inverted," : "");
  }
  return split;
}

/// The split of `steps`, a list of pre-tokenizers that ends with ByteLevel.
std::unique_ptr<SplitPattern> read_steps(const std::vector<const Json*>& steps, const std::string& where) {
  std::string names;
  for (const Json* step : steps) names += (names.empty() ? "" : ", ") + type_of(*step, where);
  if (steps.empty() || type_of(*steps.back(), where) != "ByteLevel" || steps.size() > 2) {
    fail("{}: pre-tokenizers [{}] are not supported: {}", where, printable(names), kSupported);
  }
  if (flag(*steps.back(), "add_prefix_space", true, where)) {
    fail("{}: \"add_prefix_space\" is not supported: {}", where, kSupported);
  }
  const bool use_regex = flag(*steps.back(), "use_regex", true, where);
  if (steps.size() == 1) return make_split_pattern(use_regex ? "gpt2" : "none");
  const std::string first = type_of(*steps.front(), where);
  if (first == "Split" && !use_regex) return split_step(*steps.front(), where);
  if (first == "Digits" && use_regex) {
    return make_gpt2_split(flag(*steps.front(), "individual_digits", false, where) ? Digits::kIndividual
                                                                                   : Digits::kRuns);
  }
  fail("{}: pre-tokenizers [{}] with \"use_regex\" {} are not supported: {}", where, printable(names),
       use_regex, kSupported);
}

std::unique_ptr<SplitPattern> read_pre_tokenizer(const Json& root, const std::string& where) {
  const Json* step = optional_member(root, "pre_tokenizer", where);
  if (step == nullptr) fail("{}: it has no pre-tokenizer: {}", where, kSupported);
  std::vector<const Json*> steps;
  if (type_of(*step, where) == "Sequence") {
    for (const Json& one : list(*step, "pretokenizers", where)) steps.push_back(&one);
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
    const Json& steps = list(*step, "normalizers", where);
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
  if (flag(model, "byte_fallback", false, where))
    fail("{}: \"byte_fallback\" is not supported: {}", where, kSupported);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* value = optional_member(model, affix, where);
    if (value != nullptr && *value != "")
      fail("{}: {} is not supported: {}", where, json_quoted(affix), kSupported);
  }
  return model;
}

void read_merges(const Json& model, VocabularyBuilder& builder, const std::string& where) {
  for (const Json& merge : list(model, "merges", where)) {
    if (merge.is_string()) {
      builder.add_merge(merge.get_ref<const std::string&>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      builder.add_merge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
    } else {
      fail("{}: a merge must be a string \"left right\" or a list of two strings", where);
    }
  }
}

void read_added_tokens(const Json& root, VocabularyBuilder& builder, const std::string& where) {
  const Json* tokens = optional_member(root, "added_tokens", where);
  if (tokens == nullptr) return;
  if (!tokens->is_array()) fail("{}: \"added_tokens\" must be a list", where);
  for (const Json& token : *tokens) {
    const std::string name = json_string(token, "content", where);
    for (const char* key : {"single_word", "lstrip", "rstrip"}) {
      if (flag(token, key, false, where)) {
        fail("{}: added token {} with {} is not supported", where, json_quoted(name), json_quoted(key));
      }
    }
    builder.add_special(name, json_unsigned(token, "id", where), !flag(token, "special", false, where));
  }
}

/// Whether this is what `CharTokenizer::files` writes.
bool is_char_tokenizer(const Json& root) {
  const auto decoder = root.find("decoder");
  return decoder != root.end() && decoder->is_object() && decoder->value("type", Json()) == "Fuse";
}

}  // namespace

SpecialNames parse_special_names(std::string_view json, const std::string& where) {
  const Json root = parse_json(json, where);
  const auto name = [&](std::string_view key) -> std::string {
    const Json* value = optional_member(root, key, where);
    if (value == nullptr) return {};
    return value->is_object() ? json_string(*value, "content", where) : json_string(root, key, where);
  };
  return {.end_of_text = name("eos_token"), .begin_of_text = name("bos_token")};
}

std::unique_ptr<Tokenizer> parse_tokenizer_json(std::string_view json, const SpecialNames& names,
                                                const std::string& where) {
  const Json root = parse_json(json, where);
  if (!root.is_object()) fail("{}: expected a JSON object", where);
  if (is_char_tokenizer(root)) return std::make_unique<CharTokenizer>(CharTokenizer::from_json(json, where));
  const Json& model = read_model(root, where);
  if (const Json* decoder = optional_member(root, "decoder", where);
      decoder != nullptr && type_of(*decoder, where) != "ByteLevel") {
    fail("{}: decoder {} is not supported: {}", where, json_quoted(type_of(*decoder, where)), kSupported);
  }
  const bool nfc = read_normalizer(root, where);
  std::unique_ptr<SplitPattern> split = read_pre_tokenizer(root, where);

  VocabularyBuilder builder(where);
  builder.add_vocab(json_member(model, "vocab", where));
  read_added_tokens(root, builder, where);
  builder.place_tokens();
  read_merges(model, builder, where);
  BpeVocabulary vocabulary = builder.finish(names);
  vocabulary.ignore_merges = flag(model, "ignore_merges", false, where);
  vocabulary.nfc = nfc;
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(split), where);
}

std::unique_ptr<BpeTokenizer> parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                                     const SpecialNames& names, const std::string& where) {
  VocabularyBuilder builder(where);
  builder.add_vocab(parse_json(vocab_json, where));
  builder.add_known_specials(names);
  builder.place_tokens();
  for (const std::string_view line : merge_lines(merges_txt)) builder.add_merge(line);
  return std::make_unique<BpeTokenizer>(builder.finish(names), make_split_pattern("gpt2"), where);
}

}  // namespace vkgpt::text
