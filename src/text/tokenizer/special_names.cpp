#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "vkgpt/core/error.hpp"

#include "text/tokenizer/json_fields.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {
namespace {

/// A token as a name, or as an object with its name.
std::string token_name(const Json& root, std::string_view key, const std::string& where) {
  const Json* value = optional_member(root, key, where);
  if (value == nullptr) return {};
  return value->is_object() ? json_string(*value, "content", where) : json_string(root, key, where);
}

/// One template, or several by name: a list of names and templates, or an object.
void read_chat_templates(const Json& root, const std::string& where, SpecialNames& names) {
  const Json* value = optional_member(root, "chat_template", where);
  if (value == nullptr) return;
  const auto add = [&](const std::string& name, const std::string& source) {
    if (name == "default") {
      names.chat_template = source;
    } else {
      names.other_chat_templates.emplace_back(name, source);
    }
  };
  if (value->is_array()) {
    for (const Json& one : *value) add(json_string(one, "name", where), json_string(one, "template", where));
  } else if (value->is_object()) {
    for (const auto& [name, source] : value->items()) add(name, json_string(*value, name, where));
  } else {
    add("default", json_string(root, "chat_template", where));
  }
}

/// The tokens that templates know by what they are for.
std::vector<std::pair<std::string, std::string>> read_named_tokens(const Json& root,
                                                                   const std::string& where) {
  constexpr std::array kKeys = {"bos_token", "eos_token", "unk_token", "sep_token",
                                "pad_token", "cls_token", "mask_token"};
  std::vector<std::pair<std::string, std::string>> named;
  for (const char* key : kKeys) {
    if (std::string name = token_name(root, key, where); !name.empty())
      named.emplace_back(key, std::move(name));
  }
  return named;
}

/// `{"number": {"content": name, ...}}`, in the order of the numbers.
std::vector<AddedToken> read_decoder(const Json& root, const std::string& where) {
  const Json* decoder = optional_member(root, "added_tokens_decoder", where);
  if (decoder == nullptr) return {};
  if (!decoder->is_object()) fail("{}: \"added_tokens_decoder\" must be an object", where);
  std::vector<AddedToken> tokens;
  for (const auto& [number, token] : decoder->items()) {
    AddedToken read = read_added_token(token, where);
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), read.token);
    if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() || read.token < 0) {
      fail("{}: {} in \"added_tokens_decoder\" is no number of a token", where, json_quoted(number));
    }
    tokens.push_back(std::move(read));
  }
  std::ranges::sort(tokens, {}, &AddedToken::token);
  return tokens;
}

}  // namespace

AddedToken read_added_token(const Json& token, const std::string& where) {
  return {.token = 0,
          .name = json_string(token, "content", where),
          .in_text = !flag_member(token, "special", false, where),
          .single_word = flag_member(token, "single_word", false, where),
          .lstrip = flag_member(token, "lstrip", false, where),
          .rstrip = flag_member(token, "rstrip", false, where),
          .normalized = flag_member(token, "normalized", false, where)};
}

SpecialNames parse_special_names(std::string_view json, const std::string& where) {
  const Json root = parse_json(json, where);
  SpecialNames names{.end_of_text = token_name(root, "eos_token", where),
                     .begin_of_text = token_name(root, "bos_token", where),
                     .pad = token_name(root, "pad_token", where),
                     .added = read_decoder(root, where),
                     .add_begin = {},
                     .add_end = {},
                     .chat_template = {},
                     .named_tokens = read_named_tokens(root, where),
                     .end_ids = {}};
  read_chat_templates(root, where, names);
  // transformers takes one of the two for both to be said.
  const auto says = [&](const char* key) { return optional_member(root, key, where) != nullptr; };
  if (says("add_bos_token") || says("add_eos_token")) {
    names.add_begin = flag_member(root, "add_bos_token", false, where);
    names.add_end = flag_member(root, "add_eos_token", false, where);
  }
  return names;
}

std::vector<AddedToken> parse_added_tokens(std::string_view json, const std::string& where) {
  const Json root = parse_json(json, where);
  if (!root.is_object()) fail("{}: expected a JSON object of tokens and numbers", where);
  std::vector<AddedToken> tokens;
  for (const auto& [name, number] : root.items()) {
    const std::uint64_t id = json_unsigned(root, name, where, INT32_MAX);
    tokens.push_back({.token = static_cast<Token>(id), .name = name, .in_text = true});
  }
  std::ranges::sort(tokens, {}, &AddedToken::token);
  return tokens;
}

}  // namespace vkgpt::text
