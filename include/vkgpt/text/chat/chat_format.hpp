#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/chat/chat_request.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// Parses JSON of unknown origin as `parse_json` does.
ChatJson parse_chat_json(std::string_view text, std::string_view where);

struct CompiledChat;

/// How conversations with a model are written down: its own Jinja template or one of the program's. Safe from
/// several threads.
class ChatFormat {
 public:
  /// `name`: "auto" (the model's own template, else by the tokenizer's special tokens), "own", "chatml",
  /// "llama3" or "plain" ("User: ...", "Assistant: ...", a line each). `time`, in seconds since 1970, is what
  /// a template that writes the date is told; 0: the clock's. `tokenizer` outlives this. Throws usage errors,
  /// and `Error` for a template that is no Jinja or that writes turns with characters which the tokenizer
  /// does not know.
  explicit ChatFormat(const Tokenizer& tokenizer, std::string_view name = "auto", std::int64_t time = 0);
  /// Turns as given; throws `Error` as above.
  ChatFormat(const Tokenizer& tokenizer, const ChatTurns& turns);
  ChatFormat(ChatFormat&&) noexcept;
  ChatFormat& operator=(ChatFormat&&) noexcept;
  ~ChatFormat();

  /// The conversation, neighbours of one kind joined. Throws `Error` with one line where the template fails
  /// or refuses the conversation, or exceeds its limits (steps, memory, depth).
  std::vector<ChatPiece> render(const ChatRequest& request) const;

  /// Its tokens: those of transformers, but that only the template can name special tokens.
  ChatPrompt encode(const ChatRequest& request) const;

  /// The same of a conversation to learn from: `by_assistant` tells the replies also where the template does
  /// not mark them. A reply then begins behind what asking for one writes (the generation prompt) and ends
  /// with what ends replies (the first of `stops`); where those are not found, with the assistant's own
  /// words.
  ChatPrompt encode_to_learn(const ChatRequest& request) const;

  /// What ends a reply, as text; beside it a reply ends with every token of which `Tokenizer::ends_text` is
  /// true. May be empty.
  const std::vector<std::string>& stops() const { return stops_; }

  /// Whether the template marks what the assistant says.
  bool marks_replies() const;

 private:
  void check_alphabet() const;
  void find_stops();
  void find_generation_prompt();
  void find_call_form();

  const Tokenizer* tokenizer_;
  std::unique_ptr<CompiledChat> compiled_;
  std::vector<std::string> stops_;
  std::string generation_prompt_;
};

/// The turns of a name that `ChatFormat` takes, but "own"; "auto" goes by the tokenizer's special tokens.
/// Throws usage errors.
ChatTurns chat_turns(std::string_view name, const Tokenizer& tokenizer);

}  // namespace vkgpt::text
