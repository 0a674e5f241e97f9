#include "text/corpus/json_line.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/chat/python_json.hpp"

namespace vkgpt::text {
namespace {

constexpr int kMaxDepth = 64;

/// Picks one string out of an object and builds nothing of the rest.
class FieldReader final : public nlohmann::json_sax<Json> {
 public:
  explicit FieldReader(std::string_view field) : field_(field) {}

  const std::string& complaint() const { return complaint_; }
  std::optional<std::string>& text() { return text_; }
  bool has_pair() const { return chosen_; }
  bool has_conversation() const { return messages_; }

  bool null() override {
    if (depth_ == 0 || !wanted_) return other_value();
    wanted_ = false;
    text_.emplace();  // a record without text
    return true;
  }
  bool boolean(bool) override { return other_value(); }
  bool number_integer(number_integer_t) override { return other_value(); }
  bool number_unsigned(number_unsigned_t) override { return other_value(); }
  bool number_float(number_float_t, const string_t&) override { return other_value(); }
  bool binary(binary_t&) override { return other_value(); }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool string(string_t& value) override {
    if (!wanted_) return other_value();
    wanted_ = false;
    text_ = std::move(value);
    return true;
  }
  bool key(string_t& value) override {
    wanted_ = depth_ == 1 && value == field_;
    chosen_ = chosen_ || (depth_ == 1 && value == "chosen");
    messages_ = messages_ || (depth_ == 1 && (value == "messages" || value == "conversations"));
    if (wanted_ && text_) return complain("it has the key " + json_quoted(field_) + " twice");
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    // 406: a number out of range; its position says nothing.
    if (error.id == 406) return complain("invalid JSON: a number is out of range");
    return complain("invalid JSON at byte " + std::to_string(position) + " of the line");
  }

 private:
  bool complain(std::string text) {
    complaint_ = std::move(text);
    return false;
  }
  bool other_value() {
    if (depth_ == 0) return complain("not a JSON object");
    if (wanted_) return complain("its " + json_quoted(field_) + " is not a string");
    return true;
  }
  bool enter() {
    if (wanted_) return other_value();
    return ++depth_ <= kMaxDepth || complain("nested deeper than " + std::to_string(kMaxDepth) + " levels");
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::string_view field_;
  int depth_ = 0;
  bool wanted_ = false;    // the value that comes next
  bool chosen_ = false;    // a key of pairs was seen
  bool messages_ = false;  // one of conversations
  std::optional<std::string> text_;
  std::string complaint_;
};

constexpr std::string_view kLineSpace = " \t\r";

std::string_view without_mark(std::string_view line) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  return line;
}

}  // namespace

void refuse_json_document(std::string_view first_line, const std::function<std::string()>& where) {
  const std::string_view line = without_mark(first_line);
  const std::size_t begin = std::min(line.find_first_not_of(kLineSpace), line.size());
  const std::string_view words = line.substr(begin, line.find_last_not_of(kLineSpace) + 1 - begin);
  if (words == "[" || words.starts_with("[{")) {
    fail("{}: a JSON array, not JSON Lines: 'jq -c .[]' writes a record to each line", where());
  }
  if (words == "{") fail("{}: JSON over several lines: 'jq -c .' writes it to one", where());
}

std::string json_line_text(std::string_view line, bool is_first, std::string_view field,
                           const std::function<std::string()>& where) {
  if (is_first) line = without_mark(line);
  if (line.find_first_not_of(kLineSpace) == std::string_view::npos) return {};
  FieldReader reader(field);
  if (!Json::sax_parse(line, &reader)) {
    const std::string repaired = without_python(line);
    FieldReader again(field);
    if (repaired == line || !Json::sax_parse(repaired, &again)) fail("{}: {}", where(), reader.complaint());
    reader = std::move(again);
  }
  if (!reader.text()) {
    if (reader.has_pair()) {
      fail_usage("{}: the line holds a pair of replies, not a text: train on such with --objective dpo",
                 where());
    }
    if (reader.has_conversation()) {
      fail_usage(
          "{}: the line holds a conversation, not a text: 'vkgpt data prepare --chat' makes a data set of "
          "such",
          where());
    }
    fail("{}: no string {} in the line; 'vkgpt data prepare --text_field' names the one that holds the text",
         where(), json_quoted(field));
  }
  return std::move(*reader.text());
}

}  // namespace vkgpt::text
