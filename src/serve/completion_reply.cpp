#include "serve/completion_reply.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson finish_name(Finish finish) {
  if (finish == Finish::kStop) return "stop";
  return finish == Finish::kLength ? OrderedJson("length") : OrderedJson(nullptr);
}

OrderedJson token_json(const LikelyToken& token) {
  OrderedJson bytes = OrderedJson::array();
  for (const char byte : token.text) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", token.text}, {"logprob", token.logprob}, {"bytes", bytes}};
}

OrderedJson chat_logprobs(std::span<const PieceToken> tokens) {
  OrderedJson content = OrderedJson::array();
  for (const PieceToken& token : tokens) {
    OrderedJson each = token_json(token.token), top = OrderedJson::array();
    for (const LikelyToken& likely : token.likeliest) top.push_back(token_json(likely));
    each["top_logprobs"] = std::move(top);
    content.push_back(std::move(each));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

/// A token's text; of one that is no text its bytes, by which OpenAI names it too: a name of its own.
std::string name_of_token(const std::string& bytes) {
  if (replace_invalid_utf8(bytes) == bytes) return bytes;
  std::string name = "bytes:";
  for (const char byte : bytes) name += vkgpt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return name;
}

/// `before`: the text before the tokens.
OrderedJson text_logprobs(std::span<const PieceToken> tokens, CharacterCount before) {
  OrderedJson names = OrderedJson::array(), values = names, tops = names, offsets = names;
  for (const PieceToken& token : tokens) {
    const std::string name = name_of_token(token.token.text);
    names.push_back(name);
    values.push_back(token.token.logprob);
    offsets.push_back(before.count());
    before.add(token.token.text);
    OrderedJson top = OrderedJson::object();
    for (const LikelyToken& likely : token.likeliest) top[name_of_token(likely.text)] = likely.logprob;
    top[name] = token.token.logprob;  // always there, one more than was asked for where need be
    tops.push_back(std::move(top));
  }
  return {{"tokens", names}, {"token_logprobs", values}, {"top_logprobs", tops}, {"text_offset", offsets}};
}

}  // namespace

void CharacterCount::add(std::string_view bytes) {
  begun_ += bytes;
  const std::size_t whole = complete_utf8_prefix(begun_);
  const std::string valid = replace_invalid_utf8(std::string_view(begun_).substr(0, whole));
  const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; };
  count_ += static_cast<std::size_t>(std::ranges::count_if(valid, begins));
  begun_.erase(0, whole);
}

std::string event_of(const std::string& json) {
  return "data: " + json + "\n\n";
}

CompletionReply::CompletionReply(const CompletionRequest& request, std::string id, std::string model,
                                 std::int64_t created, std::size_t prompts, std::size_t prompt_tokens)
    : is_chat_(request.is_chat),
      streams_(request.streams),
      includes_usage_(request.includes_usage),
      wants_logprobs_(request.wants_logprobs),
      id_(std::move(id)),
      model_(std::move(model)),
      created_(created),
      prompt_tokens_(prompt_tokens),
      choices_(prompts * request.choices) {}

bool CompletionReply::is_complete() const {
  return std::ranges::none_of(choices_, [](const Choice& choice) { return choice.finish == Finish::kNone; });
}

std::uint64_t CompletionReply::drawn() const {
  std::uint64_t sum = 0;
  for (const Choice& choice : choices_) sum += choice.drawn;
  return sum;
}

/// One event about choice `index`: what it adds, or how it ended.
std::string CompletionReply::event(std::size_t index, const std::string& text,
                                   std::span<const PieceToken> tokens, bool is_first, Finish finish) const {
  OrderedJson choice = {{"index", index}};
  if (is_chat_) {
    OrderedJson delta = OrderedJson::object();
    if (is_first) delta["role"] = "assistant";
    if (is_first || finish == Finish::kNone) delta["content"] = text;
    choice["delta"] = std::move(delta);
  } else {
    choice["text"] = text;
  }
  choice["logprobs"] = nullptr;
  if (!tokens.empty()) {
    choice["logprobs"] = is_chat_ ? chat_logprobs(tokens) : text_logprobs(tokens, choices_[index].told);
  }
  choice["finish_reason"] = finish_name(finish);
  OrderedJson json = head(is_chat_ ? "chat.completion.chunk" : "text_completion");
  json["choices"] = OrderedJson::array({std::move(choice)});
  if (includes_usage_) json["usage"] = nullptr;
  return event_of(json_text(json));
}

OrderedJson CompletionReply::head(const char* object) const {
  return {{"id", id_}, {"object", object}, {"created", created_}, {"model", model_}};
}

OrderedJson CompletionReply::usage() const {
  return {{"prompt_tokens", prompt_tokens_},
          {"completion_tokens", drawn()},
          {"total_tokens", prompt_tokens_ + drawn()}};
}

std::string CompletionReply::first_events() const {
  std::string events;
  for (std::size_t index = 0; is_chat_ && index < choices_.size(); ++index) {
    events += event(index, "", {}, true, Finish::kNone);
  }
  return events;
}

std::string CompletionReply::add(const Piece& piece) {
  Choice& choice = choices_[piece.index];
  choice.drawn = piece.drawn;
  choice.finish = piece.finish;
  if (!streams_) {
    choice.text += piece.text;
    choice.tokens.insert(choice.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    return {};
  }
  std::string events;
  if (!piece.text.empty() || !piece.tokens.empty()) {
    events = event(piece.index, piece.text, piece.tokens, false, Finish::kNone);
    for (const PieceToken& token : piece.tokens) choice.told.add(token.token.text);
  }
  if (piece.finish != Finish::kNone) events += event(piece.index, "", {}, false, piece.finish);
  return events;
}

std::string CompletionReply::last_events() const {
  std::string events;
  if (includes_usage_) {
    OrderedJson json = head(is_chat_ ? "chat.completion.chunk" : "text_completion");
    json["choices"] = OrderedJson::array();
    json["usage"] = usage();
    events = event_of(json_text(json));
  }
  return events + event_of("[DONE]");
}

std::string CompletionReply::body() const {
  OrderedJson choices = OrderedJson::array();
  for (std::size_t index = 0; index < choices_.size(); ++index) {
    const Choice& from = choices_[index];
    OrderedJson choice = {{"index", index}};
    if (is_chat_) {
      choice["message"] = {{"role", "assistant"}, {"content", from.text}, {"refusal", nullptr}};
    } else {
      choice["text"] = from.text;
    }
    choice["logprobs"] = nullptr;
    if (wants_logprobs_)
      choice["logprobs"] = is_chat_ ? chat_logprobs(from.tokens) : text_logprobs(from.tokens, {});
    choice["finish_reason"] = finish_name(from.finish);
    choices.push_back(std::move(choice));
  }
  OrderedJson json = head(is_chat_ ? "chat.completion" : "text_completion");
  json["choices"] = std::move(choices);
  json["usage"] = usage();
  return json_text(json);
}

}  // namespace vkgpt::serve
