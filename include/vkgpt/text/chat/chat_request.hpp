#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::text {

/// JSON that keeps the order of its members, which templates write out.
using ChatJson = nlohmann::ordered_json;

/// A conversation, and what is wanted of it, as transformers' `apply_chat_template` takes them.
struct ChatRequest {
  ChatJson messages = ChatJson::array();  ///< objects: "role", "content", whatever else the template reads
  /// The same, with the arguments of calls as strings of JSON, for templates that take no objects there;
  /// null: `messages` for all templates.
  ChatJson text_calls = {};
  ChatJson tools = {};                      ///< a list of functions by their JSON schemas; null: none
  ChatJson documents = {};                  ///< a list; null: none
  ChatJson variables = ChatJson::object();  ///< what else the template may read: {"enable_thinking": false}
  bool add_generation_prompt = true;        ///< end with the beginning of the reply that is wanted
};

/// A stretch of a conversation as it is written down.
struct ChatPiece {
  std::string text;
  bool from_template = false;  ///< may name special tokens; what the request holds may not
  bool by_assistant = false;   ///< inside the template's {% generation %} marks

  friend bool operator==(const ChatPiece&, const ChatPiece&) = default;
};

/// A conversation as tokens.
struct ChatPrompt {
  std::vector<Token> tokens;
  std::vector<bool> by_assistant;  ///< for each token, whether some of it is inside {% generation %} marks
};

/// What the program writes before and after turns itself, for models that have no template.
struct ChatTurns {
  std::string system_prefix;
  std::string user_prefix;
  std::string reply_prefix;
  std::string turn_end;

  friend bool operator==(const ChatTurns&, const ChatTurns&) = default;
};

}  // namespace vkgpt::text
