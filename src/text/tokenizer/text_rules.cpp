#include "text/tokenizer/text_rules.hpp"

#include "vkgpt/core/error.hpp"

#include "text/tokenizer/json_fields.hpp"

namespace vkgpt::text {
namespace {

class RuleReader {
 public:
  RuleReader(const Tokenizer& tokenizer, const std::string& where, TextRules& rules)
      : tokenizer_(tokenizer), where_(where), rules_(rules) {}

  void read(const Json& step) {
    const std::string type = type_of(step, where_);
    if (type == "Sequence") {
      for (const Json& one : list_member(step, "processors", where_)) read(one);
    } else if (type == "TemplateProcessing") {
      read_template(step);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      rules_.before.push_back(pair_token(step, "cls"));
      rules_.after.push_back(pair_token(step, "sep"));
    }
  }

 private:
  Token checked(std::uint64_t id) const {
    if (id >= static_cast<std::uint64_t>(tokenizer_.vocab_size())) {
      fail("{}: the post-processor adds token {} to a vocabulary of {}", where_, id, tokenizer_.vocab_size());
    }
    return static_cast<Token>(id);
  }

  /// `["name", number]`.
  Token pair_token(const Json& step, const char* key) const {
    const Json& pair = list_member(step, key, where_);
    if (pair.size() != 2 || !pair[1].is_number_unsigned()) {
      fail("{}: {} of the post-processor must be a name and a number", where_, json_quoted(key));
    }
    return checked(pair[1].get<std::uint64_t>());
  }

  void read_template(const Json& step) {
    const Json* single = optional_member(step, "single", where_);
    if (single == nullptr) return;
    if (!single->is_array()) fail("{}: \"single\" of the post-processor must be a list", where_);
    bool after_text = false;
    for (const Json& piece : *single) {
      if (piece.is_object() && piece.contains("Sequence")) {
        after_text = true;
        continue;
      }
      const std::string name = json_string(json_member(piece, "SpecialToken", where_), "id", where_);
      const Json& tokens = json_member(json_member(step, "special_tokens", where_), name, where_);
      for (const Json& id : list_member(tokens, "ids", where_)) {
        if (!id.is_number_unsigned()) fail("{}: \"ids\" of {} are no numbers", where_, json_quoted(name));
        (after_text ? rules_.after : rules_.before).push_back(checked(id.get<std::uint64_t>()));
      }
    }
  }

  const Tokenizer& tokenizer_;
  const std::string& where_;
  TextRules& rules_;
};

}  // namespace

TextRules read_text_rules(const Json& root, const SpecialNames& names, const Tokenizer& tokenizer,
                          const std::string& where) {
  TextRules rules;
  rules.chat_template = names.chat_template;
  rules.other_chat_templates = names.other_chat_templates;
  rules.named_tokens = names.named_tokens;
  rules.ids.pad = tokenizer.special_token(names.pad);
  if (names.add_begin) {
    const auto begin = tokenizer.special_token(names.begin_of_text);
    const auto end = tokenizer.special_token(names.end_of_text);
    if (*names.add_begin && begin) rules.before = {*begin};
    if (names.add_end.value_or(false) && end) rules.after = {*end};
    return rules;
  }
  if (const Json* step = optional_member(root, "post_processor", where); step != nullptr) {
    RuleReader(tokenizer, where, rules).read(*step);
  }
  return rules;
}

}  // namespace vkgpt::text
