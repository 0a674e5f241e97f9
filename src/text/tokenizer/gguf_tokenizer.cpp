#include "text/tokenizer/gguf_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/base64.hpp"
#include "text/tokenizer/gguf_words.hpp"
#include "text/tokenizer/tokenizer_files.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {
namespace {

using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;

const std::string kPrefix = "tokenizer.ggml.";

/// Tokens and their kinds, checked to belong together.
struct TokenTable {
  const Texts& texts;
  Numbers kinds;

  explicit TokenTable(const model::GgufFile& file)
      : texts(file.get<Texts>(kPrefix + "tokens")),
        kinds(file.get<Numbers>(kPrefix + "token_type", Numbers(texts.size(), kGgufNormal))) {
    if (kinds.size() != texts.size()) {
      fail("{}: {} tokens have {} types", file.where(), texts.size(), kinds.size());
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (find_invalid_utf8(texts[i]) == std::string::npos) continue;
      fail("{}: token {} is not UTF-8: '{}'", file.where(), i, printable(texts[i]));
    }
  }

  bool is_kind(std::size_t token, std::int32_t kind) const { return kinds[token] == kind; }
};

Json byte_level() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

Json vocabulary_of(const TokenTable& table) {
  Json vocabulary = Json::object();
  for (std::size_t i = 0; i < table.texts.size(); ++i) {
    if (!table.is_kind(i, kGgufUnused)) vocabulary[table.texts[i]] = i;
  }
  return vocabulary;
}

Json added_tokens_of(const TokenTable& table) {
  Json added = Json::array();
  for (std::size_t i = 0; i < table.texts.size(); ++i) {
    const bool user = table.is_kind(i, kGgufUserDefined);
    if (!user && !table.is_kind(i, kGgufControl) && !table.is_kind(i, kGgufUnknown)) continue;
    added.push_back({{"id", i},
                     {"content", table.texts[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", !user}});
  }
  return added;
}

/// Byte-level BPE.
Json gpt2_json(const model::GgufFile& file, const TokenTable& table) {
  const GgufWords words = gguf_words(file.get<std::string>(kPrefix + "pre", "default"), file.where());
  Json last = byte_level();
  last["use_regex"] = words.regexes.empty();
  Json steps = Json::array();
  if (words.digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  for (const std::string& regex : words.regexes) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(last);
  return {{"version", "1.0"},
          {"added_tokens", added_tokens_of(table)},
          {"normalizer", words.nfc ? Json{{"type", "NFC"}} : Json()},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", steps}}},
          {"post_processor", nullptr},
          {"decoder", byte_level()},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", words.ignore_merges},
            {"vocab", vocabulary_of(table)},
            {"merges", file.get<Texts>(kPrefix + "merges", Texts())}}}};
}

/// llama.cpp joins the neighbours that give the token of the highest score: each way to cut a token into two
/// others is a merge, as strong as the token.
Json merges_of_scores(const model::GgufFile& file, const TokenTable& table) {
  const auto& scores = file.get<std::vector<double>>(kPrefix + "scores");
  if (scores.size() != table.texts.size()) {
    fail("{}: {} tokens have {} scores", file.where(), table.texts.size(), scores.size());
  }
  constexpr std::size_t kMaxTokenBytes = 4096;
  std::unordered_map<std::string_view, std::size_t> numbers;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < table.texts.size(); ++i) {
    if (!table.is_kind(i, kGgufNormal) || table.texts[i].size() > kMaxTokenBytes) continue;
    numbers.emplace(table.texts[i], i);
    order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  Json merges = Json::array();
  for (const std::size_t token : order) {
    const std::string_view text = table.texts[token];
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      if (!numbers.contains(text.substr(0, cut)) || !numbers.contains(text.substr(cut))) continue;
      merges.push_back(Json::array({text.substr(0, cut), text.substr(cut)}));
    }
  }
  return merges;
}

/// SentencePiece's BPE in the form of Llama 2.
Json llama_json(const model::GgufFile& file, const TokenTable& table) {
  Json unknown;
  for (std::size_t i = 0; i < table.texts.size(); ++i) {
    if (unknown.is_null() && table.is_kind(i, kGgufUnknown)) unknown = table.texts[i];
  }
  const bool prefix = file.get<bool>(kPrefix + "add_space_prefix", true);
  const Json space = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
  Json normalizers = Json::array();
  if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "\u2581"}});
  normalizers.push_back(space);
  Json decoders = {{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
                   {{"type", "ByteFallback"}},
                   {{"type", "Fuse"}}};
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"version", "1.0"},
          {"added_tokens", added_tokens_of(table)},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocabulary_of(table)},
            {"merges", merges_of_scores(file, table)}}}};
}

/// The token that `tokenizer.ggml.KEY_token_id` names.
std::optional<Token> id_of(const model::GgufFile& file, const TokenTable& table, const char* name) {
  const std::string key = kPrefix + name + "_token_id";
  if (!file.has(key)) return std::nullopt;
  const auto id = file.get<std::int64_t>(key);
  if (id < 0 || std::cmp_greater_equal(id, table.texts.size())) return std::nullopt;
  if (table.is_kind(static_cast<std::size_t>(id), kGgufUnused)) return std::nullopt;
  return static_cast<Token>(id);
}

/// SentencePiece's Unigram in the form of T5.
Json unigram_json(const model::GgufFile& file, const TokenTable& table) {
  const auto& scores = file.get<std::vector<double>>(kPrefix + "scores");
  if (scores.size() != table.texts.size()) {
    fail("{}: {} tokens have {} scores", file.where(), table.texts.size(), scores.size());
  }
  Json normalizers = Json::array();
  const auto map = file.get<Numbers>(kPrefix + "precompiled_charsmap", Numbers());
  if (!map.empty()) {
    std::string bytes;
    for (const std::int64_t byte : map) bytes += static_cast<char>(byte & 0xff);
    normalizers.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(bytes)}});
  }
  if (file.get<bool>(kPrefix + "remove_extra_whitespaces", true)) {
    normalizers.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}});
  }
  const char* scheme = file.get<bool>(kPrefix + "add_space_prefix", true) ? "always" : "never";
  const Json spaces = {
      {"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", scheme}, {"split", true}};
  Json vocabulary = Json::array();
  for (std::size_t i = 0; i < table.texts.size(); ++i)
    vocabulary.push_back(Json::array({table.texts[i], scores[i]}));
  Json unknown;
  if (const auto id = id_of(file, table, "unknown")) unknown = *id;
  return {
      {"version", "1.0"},
      {"added_tokens", added_tokens_of(table)},
      {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
      {"pre_tokenizer", spaces},
      {"post_processor", nullptr},
      {"decoder", spaces},
      {"model", {{"type", "Unigram"}, {"unk_id", unknown}, {"vocab", vocabulary}, {"byte_fallback", false}}}};
}

/// `tokenizer_config.json` that says what the file does.
std::string config_of(const SpecialNames& names) {
  nlohmann::ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                   {"clean_up_tokenization_spaces", false},
                                   {"add_bos_token", names.add_begin.value_or(false)},
                                   {"add_eos_token", names.add_end.value_or(false)}};
  if (!names.begin_of_text.empty()) config["bos_token"] = names.begin_of_text;
  if (!names.end_of_text.empty()) config["eos_token"] = names.end_of_text;
  if (!names.pad.empty()) config["pad_token"] = names.pad;
  if (!names.chat_template.empty()) config["chat_template"] = names.chat_template;
  if (!names.other_chat_templates.empty()) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    if (!names.chat_template.empty()) all.push_back({{"name", "default"}, {"template", names.chat_template}});
    for (const auto& [name, source] : names.other_chat_templates)
      all.push_back({{"name", name}, {"template", source}});
    config["chat_template"] = std::move(all);
  }
  return config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void read_chat_templates(const model::GgufFile& file, SpecialNames& names) {
  const std::string key = "tokenizer.chat_template";
  names.chat_template = file.get<std::string>(key, "");
  for (const std::string& name : file.get<Texts>("tokenizer.chat_templates", Texts())) {
    const std::string named = vkgpt::format("{}.{}", key, name);
    if (file.has(named)) names.other_chat_templates.emplace_back(name, file.get<std::string>(named));
  }
}

}  // namespace

std::unique_ptr<Tokenizer> read_gguf_tokenizer(const model::GgufFile& file) {
  const TokenTable table(file);
  const auto& kind = file.get<std::string>(kPrefix + "model");
  if (kind != "gpt2" && kind != "llama" && kind != "t5") {
    fail("{}: a tokenizer of the kind {} is not supported (gpt2, llama and t5 are)", file.where(),
         json_quoted(kind));
  }
  const Json root = kind == "gpt2"    ? gpt2_json(file, table)
                    : kind == "llama" ? llama_json(file, table)
                                      : unigram_json(file, table);
  const std::string json = root.dump();

  SpecialNames names;
  model::TokenIds ids{.begin = id_of(file, table, "bos"), .ends = {}, .pad = id_of(file, table, "padding")};
  for (const char* name : {"eos", "eot", "eom"}) {
    const auto id = id_of(file, table, name);
    if (id && !std::ranges::contains(ids.ends, *id)) ids.ends.push_back(*id);
  }
  const auto name_of = [&](std::optional<Token> id) {
    return id ? table.texts[static_cast<std::size_t>(*id)] : std::string();
  };
  names.begin_of_text = name_of(ids.begin);
  names.end_of_text = ids.ends.empty() ? "" : name_of(ids.ends.front());
  names.pad = name_of(ids.pad);
  names.add_begin =
      file.get<bool>(kPrefix + "add_bos_token",
                     kind == "llama" || file.get<std::string>(kPrefix + "pre", "") == "llama-bpe");
  names.add_end = file.get<bool>(kPrefix + "add_eos_token", kind == "t5");
  read_chat_templates(file, names);
  for (const auto& [key, token] :
       {std::pair{"bos_token", names.begin_of_text}, std::pair{"eos_token", names.end_of_text},
        std::pair{"pad_token", names.pad}, std::pair{"unk_token", name_of(id_of(file, table, "unknown"))}}) {
    if (!token.empty()) names.named_tokens.emplace_back(key, token);
  }

  std::unique_ptr<Tokenizer> tokenizer = parse_tokenizer_json(json, names, file.where());
  TextRules rules = tokenizer->rules();
  rules.ids = std::move(ids);
  rules.files.push_back({kTokenizerConfigFile, config_of(names)});
  tokenizer->set_rules(std::move(rules));
  return tokenizer;
}

}  // namespace vkgpt::text
