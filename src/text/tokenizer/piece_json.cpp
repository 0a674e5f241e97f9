#include "text/tokenizer/piece_json.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <utf8proc.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/piece_tokenizer.hpp"

#include "text/tokenizer/base64.hpp"
#include "text/tokenizer/json_fields.hpp"
#include "text/tokenizer/piece_model.hpp"
#include "text/tokenizer/regex_split.hpp"
#include "text/tokenizer/split_sequence.hpp"
#include "text/tokenizer/vocabulary_builder.hpp"

namespace vkgpt::text {
namespace {

/// A pattern of a Replace or Split step.
std::string pattern_regex(const Json& step, const std::string& where) {
  const Json& pattern = json_member(step, "pattern", where);
  if (pattern.is_object() && pattern.contains("Regex")) return json_string(pattern, "Regex", where);
  return literal_regex(json_string(pattern, "String", where));
}

/// The steps of a member that may be one step, a sequence under `list`, or missing.
std::vector<const Json*> steps_of(const Json& root, const char* key, const char* list,
                                  const std::string& where) {
  const Json* step = optional_member(root, key, where);
  if (step == nullptr) return {};
  if (type_of(*step, where) != "Sequence") return {step};
  std::vector<const Json*> steps;
  for (const Json& one : list_member(*step, list, where)) steps.push_back(&one);
  return steps;
}

std::optional<int> unicode_form(std::string_view type) {
  if (type == "NFC") return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  if (type == "NFKC") return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  if (type == "NFD") return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
  if (type == "NFKD") return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
  return std::nullopt;
}

void read_normalizer(const Json& step, PieceModel& model, const std::string& where) {
  const std::string type = type_of(step, where);
  if (type == "Prepend") {
    model.normalizer.add(TextNormalizer::Prepend{json_string(step, "prepend", where)});
    model.prepends = true;
  } else if (type == "Replace") {
    const std::string regex = pattern_regex(step, where);
    const std::string content = json_string(step, "content", where);
    model.normalizer.add(TextNormalizer::Replace{std::make_shared<RegexSplit>(regex, where), content});
    model.shows_spaces |= regex == literal_regex(" ") && !content.contains(' ');
    const bool squeezes = regex == " {2,}" && (content == " " || content == "\u2581");
    model.squeezes |= squeezes;
    model.rewrites |= !squeezes && regex != literal_regex(" ");
  } else if (const std::optional<int> form = unicode_form(type)) {
    model.normalizer.add(TextNormalizer::Unicode{*form});
    model.rewrites = true;
  } else if (type == "Lowercase") {
    model.normalizer.add(TextNormalizer::Lowercase{});
    model.rewrites = true;
  } else if (type == "Strip") {
    const bool left = flag_member(step, "strip_left", true, where);
    model.normalizer.add(TextNormalizer::Strip{left, flag_member(step, "strip_right", true, where)});
    model.strips |= left;
  } else if (type == "Precompiled") {
    const auto bytes = decode_base64(json_string(step, "precompiled_charsmap", where));
    if (!bytes) fail("{}: \"precompiled_charsmap\" is not base64", where);
    model.normalizer.add(std::make_shared<const CharacterMap>(*bytes, where));
    model.character_map = *bytes;
  } else {
    fail("{}: normalizer {} is not supported", where, json_quoted(type));
  }
}

Metaspace::Prepend prepend_scheme(const Json& step, const std::string& where) {
  if (optional_member(step, "prepend_scheme", where) == nullptr) {
    return flag_member(step, "add_prefix_space", true, where) ? Metaspace::Prepend::kAlways
                                                              : Metaspace::Prepend::kNever;
  }
  const std::string scheme = json_string(step, "prepend_scheme", where);
  if (scheme == "always") return Metaspace::Prepend::kAlways;
  if (scheme == "first") return Metaspace::Prepend::kFirst;
  if (scheme == "never") return Metaspace::Prepend::kNever;
  fail("{}: \"prepend_scheme\" is {}", where, json_quoted(scheme));
}

PieceStep read_step(const Json& step, const std::string& where) {
  const std::string type = type_of(step, where);
  if (type == "Metaspace") {
    return Metaspace{.replacement = json_string(step, "replacement", where),
                     .prepend = prepend_scheme(step, where),
                     .split = flag_member(step, "split", true, where)};
  }
  if (type == "WhitespaceSplit") return WhiteSplit{};
  if (type == "Digits") {
    return std::make_shared<const DigitSplit>(flag_member(step, "individual_digits", false, where));
  }
  if (type != "Split") fail("{}: pre-tokenizer {} is not supported", where, json_quoted(type));
  const std::string behavior = json_string(step, "behavior", where);
  const auto* const named = std::ranges::find(kSplitBehaviorNames, behavior);
  if (named == kSplitBehaviorNames.end() || behavior == "Removed" ||
      flag_member(step, "invert", false, where)) {
    fail("{}: a Split step with behavior {} is not supported here", where, json_quoted(behavior));
  }
  return std::make_shared<const RegexSplit>(pattern_regex(step, where), where,
                                            static_cast<SplitBehavior>(named - kSplitBehaviorNames.begin()));
}

void read_decoder(const Json& step, PieceDecoder& decoder, const std::string& where) {
  const std::string type = type_of(step, where);
  if (type == "Replace") {
    const Json& pattern = json_member(step, "pattern", where);
    decoder.replacements.emplace_back(json_string(pattern, "String", where),
                                      json_string(step, "content", where));
    if (decoder.replacements.back().first.empty()) fail("{}: a decoder replaces nothing", where);
  } else if (type == "ByteFallback") {
    decoder.bytes = true;
  } else if (type == "Strip") {
    decoder.stripped = json_string(step, "content", where);
    decoder.stripped_count = json_unsigned(step, "start", where, 1 << 20);
    if (decoder.stripped.empty() || json_unsigned(step, "stop", where) != 0) {
      fail("{}: a decoder that strips the end of a text is not supported", where);
    }
  } else if (type == "Metaspace") {
    const std::string replacement = json_string(step, "replacement", where);
    if (replacement.empty()) fail("{}: \"replacement\" of Metaspace is empty", where);
    decoder.replacements.emplace_back(replacement, " ");
    if (prepend_scheme(step, where) != Metaspace::Prepend::kNever) decoder.dropped_in_first = replacement;
  } else if (type != "Fuse") {
    fail("{}: decoder {} is not supported", where, json_quoted(type));
  }
}

/// `[["piece", score], ...]`.
std::vector<UnigramEncoder::Piece> read_pieces(const Json& model, VocabularyBuilder& builder,
                                               const std::string& where) {
  std::vector<UnigramEncoder::Piece> pieces;
  for (const Json& pair : list_member(model, "vocab", where)) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number()) {
      fail("{}: piece {} of the vocabulary is not a text and a score", where, pieces.size());
    }
    pieces.push_back({.text = pair[0].get<std::string>(), .score = pair[1].get<double>()});
    builder.add_token(pieces.back().text, pieces.size() - 1);
  }
  return pieces;
}

void read_added(const Json& root, const SpecialNames& names, VocabularyBuilder& builder,
                const std::string& where) {
  if (const Json* tokens = optional_member(root, "added_tokens", where); tokens != nullptr) {
    for (const Json& token : list_member(root, "added_tokens", where)) {
      builder.add_special(read_added_token(token, where));
    }
  }
  builder.add_named_specials(names);
  builder.place_tokens();
}

BpeVocabulary read_bpe(const Json& root, const Json& model, const SpecialNames& names,
                       const std::string& where) {
  VocabularyBuilder builder(where, true);
  builder.add_vocab(json_member(model, "vocab", where));
  read_added(root, names, builder, where);
  builder.add_merges(model);
  const bool has_unknown = optional_member(model, "unk_token", where) != nullptr;
  BpeVocabulary vocabulary =
      builder.finish(names, has_unknown ? json_string(model, "unk_token", where) : std::string());
  vocabulary.fuse_unknown = vocabulary.unknown && flag_member(model, "fuse_unk", false, where);
  vocabulary.byte_fallback = flag_member(model, "byte_fallback", false, where);
  vocabulary.ignore_merges = flag_member(model, "ignore_merges", false, where);
  return vocabulary;
}

}  // namespace

const Json& sole_decoder(const Json& decoder) {
  if (decoder.value("type", Json()) != "Sequence") return decoder;
  const auto list = decoder.find("decoders");
  const bool one =
      list != decoder.end() && list->is_array() && list->size() == 1 && list->front().is_object();
  return one ? list->front() : decoder;
}

bool is_piece_tokenizer(const Json& root) {
  if (!root.is_object()) return false;
  const auto model = root.find("model");
  if (model == root.end() || !model->is_object()) return false;
  const Json type = model->value("type", Json());
  if (type == "Unigram" || model->value("byte_fallback", Json()) == true) return true;
  const auto decoder = root.find("decoder");
  if (decoder == root.end() || !decoder->is_object()) return false;
  const Json decoder_type = decoder->value("type", Json());
  if (decoder_type != "Sequence") return decoder_type == "Metaspace";
  return sole_decoder(*decoder).value("type", Json()) != "ByteLevel";
}

std::unique_ptr<Tokenizer> read_piece_tokenizer(std::string_view json, const Json& root,
                                                const SpecialNames& names, const std::string& where) {
  auto pieces = std::make_unique<PieceModel>();
  for (const Json* step : steps_of(root, "normalizer", "normalizers", where)) {
    read_normalizer(*step, *pieces, where);
  }
  for (const Json* step : steps_of(root, "pre_tokenizer", "pretokenizers", where)) {
    pieces->steps.push_back(read_step(*step, where));
  }
  PieceDecoder decoder;
  for (const Json* step : steps_of(root, "decoder", "decoders", where)) read_decoder(*step, decoder, where);

  const Json& model = json_member(root, "model", where);
  BpeVocabulary vocabulary;
  std::vector<UnigramEncoder::Piece> scored;
  if (model.value("type", Json()) == "Unigram") {
    VocabularyBuilder builder(where, true);
    scored = read_pieces(model, builder, where);
    read_added(root, names, builder, where);
    vocabulary = builder.finish(names);
    if (optional_member(model, "unk_id", where) != nullptr) {
      vocabulary.unknown = static_cast<Token>(json_unsigned(model, "unk_id", where, INT32_MAX));
    }
    vocabulary.byte_fallback = flag_member(model, "byte_fallback", false, where);
    for (const UnigramEncoder::Piece& piece : scored) pieces->scores.push_back(piece.score);
    for (const AddedToken& added : vocabulary.specials) {  // which no text spells
      const auto at = static_cast<std::size_t>(added.token);
      if (!added.in_text && at < scored.size()) scored[at].text.clear();
    }
    pieces->unigram =
        std::make_unique<UnigramEncoder>(scored, vocabulary.unknown, vocabulary.byte_fallback, where);
  } else {
    vocabulary = read_bpe(root, model, names, where);
  }
  return std::make_unique<PieceTokenizer>(std::move(vocabulary), std::move(pieces), std::move(decoder),
                                          std::string(json), where);
}

}  // namespace vkgpt::text
