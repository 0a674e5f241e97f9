#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// JSON that keeps the order of its members, which templates write out.
using ChatJson = nlohmann::ordered_json;

/// Parses JSON of unknown origin as `parse_json` does.
ChatJson parse_chat_json(std::string_view text, std::string_view where);

/// A conversation, and what is wanted of it, as transformers' `apply_chat_template` takes them.
struct ChatRequest {
  ChatJson messages = ChatJson::array();    ///< objects: "role", "content", whatever else the template reads
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

struct CompiledChat;

/// How conversations with a model are written down: its own Jinja template or one of the program's. Safe from
/// several threads.
class ChatFormat {
 public:
  /// `name`: "auto" (the model's own template, else by the tokenizer's special tokens), "own", "chatml",
  /// "llama3" or "plain" ("User: ...", "Assistant: ...", a line each). `tokenizer` outlives this. Throws
  /// usage errors, and `Error` for a template that is no Jinja.
  explicit ChatFormat(const Tokenizer& tokenizer, std::string_view name = "auto");
  /// Turns as given.
  ChatFormat(const Tokenizer& tokenizer, const ChatTurns& turns);
  ChatFormat(ChatFormat&&) noexcept;
  ChatFormat& operator=(ChatFormat&&) noexcept;
  ~ChatFormat();

  /// The conversation, neighbours of one kind joined. Throws `Error` with one line where the template fails
  /// or refuses the conversation, or exceeds its limits (steps, memory, depth).
  std::vector<ChatPiece> render(const ChatRequest& request) const;

  /// Its tokens: those of transformers, but that only the template can name special tokens.
  ChatPrompt encode(const ChatRequest& request) const;

  /// What ends a reply, as text; beside it a reply ends with every token of which `Tokenizer::ends_text` is
  /// true. May be empty.
  const std::vector<std::string>& stops() const { return stops_; }

  /// Whether the template marks what the assistant says.
  bool marks_replies() const;

 private:
  void find_stops();

  const Tokenizer* tokenizer_;
  std::unique_ptr<CompiledChat> compiled_;
  std::vector<std::string> stops_;
};

/// The turns of a name that `ChatFormat` takes, but "own"; "auto" goes by the tokenizer's special tokens.
/// Throws usage errors.
ChatTurns chat_turns(std::string_view name, const Tokenizer& tokenizer);

}  // namespace vkgpt::text
