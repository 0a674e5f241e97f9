#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "serve/completion_request.hpp"
#include "serve/engine.hpp"

namespace vkgpt::serve {

/// Counts the characters of a text that comes in pieces, which may end inside of one.
class CharacterCount {
 public:
  void add(std::string_view bytes);
  /// Whole characters so far: the place of the character that the next byte belongs to.
  std::size_t count() const { return count_; }

 private:
  std::size_t count_ = 0;
  std::string begun_;  // the bytes of a character that is not complete
};

/// The answer to a completion request in OpenAI's JSON, whole or as server-sent events.
class CompletionReply {
 public:
  /// `prompts` texts with `prompt_tokens` tokens in all.
  CompletionReply(const CompletionRequest& request, std::string id, std::string model, std::int64_t created,
                  std::size_t prompts, std::size_t prompt_tokens);

  /// The events that begin a stream.
  std::string first_events() const;
  /// Takes a piece in; gives its events.
  std::string add(const Piece& piece);
  /// Whether every text has ended.
  bool is_complete() const;
  /// The events that end a stream.
  std::string last_events() const;
  /// The whole answer.
  std::string body() const;

  std::uint64_t drawn() const;

 private:
  struct Choice {
    std::string text;
    std::vector<PieceToken> tokens;
    std::uint64_t drawn = 0;
    CharacterCount told;  // of the tokens that were told of
    Finish finish = Finish::kNone;
  };

  std::string event(std::size_t index, const std::string& text, std::span<const PieceToken> tokens,
                    bool is_first, Finish finish) const;
  nlohmann::ordered_json head(const char* object) const;
  nlohmann::ordered_json usage() const;

  bool is_chat_;
  bool streams_;
  bool includes_usage_;
  bool wants_logprobs_;
  std::string id_;
  std::string model_;
  std::int64_t created_;
  std::size_t prompt_tokens_;
  std::vector<Choice> choices_;
};

/// An event of a stream that carries `json`.
std::string event_of(const std::string& json);

}  // namespace vkgpt::serve
