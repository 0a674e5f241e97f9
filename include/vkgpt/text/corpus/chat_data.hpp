#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/chat/conversation.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

struct ChatDataConfig {
  std::string chat_template = "auto";  ///< as `ChatFormat` takes it
  double val_fraction = 0.1;           ///< of the conversations, drawn by their contents
  bool skip_bad = false;               ///< pass over records that are of no use
  std::int64_t time = 0;               ///< as `ChatFormat` takes it
};

/// What was found in files of conversations.
struct ChatDataCounts {
  struct Bad {
    std::uint64_t count = 0;
    std::string first;  ///< "FILE: line 7: why"
  };

  std::uint64_t conversations = 0;
  std::array<std::uint64_t, std::size(kConversationForms)> forms{};
  std::array<Bad, kBadRecordKinds> bad{};

  std::uint64_t bad_count() const;
  /// "498 conversations (messages)".
  std::string text() const;
  /// "2 invalid JSON (FILE: line 7: why)" and so on, each kind with its first one.
  std::string bad_text() const;
};

struct ChatData {
  std::array<TokenizedDocuments, 2> splits;
  ChatDataCounts counts;
};

/// Whether a file of JSON Lines, or of one JSON array, holds conversations: its first record that can be read
/// is one and has no "text".
bool holds_conversations(const Path& file);

/// Reads, checks and encodes conversations, a record a line or in an array, on all processors. What cannot be
/// used is counted; without `skip_bad` it is an `Error` that tells all kinds. Throws `Error` where nothing is
/// left, and where a signal arrived.
ChatData read_chat_data(std::span<const Path> files, const Tokenizer& tokenizer,
                        const ChatDataConfig& config);

/// Gives `use` the records that `bytes` hold, a record a line or in an array, in order, with their places in
/// the file `name`. Throws `Error` where there is none.
void for_each_conversation(std::string bytes, const std::string& name,
                           const std::function<void(std::string_view record, const std::string& place)>& use);

// What data of other kinds are read with, too.

/// Appends a document, with what is to be learned of it.
void append_prompt(TokenizedDocuments& split, const ChatPrompt& prompt);

/// Counts a record that is of no use; the first of a kind stays by name.
void note_bad(ChatDataCounts& counts, BadRecord kind, const std::string& why, const std::string& place);

/// Throws `Error` for records of no use where they may not be passed over, and where nothing is left; warns
/// of those that are. `kind` is what the records are.
void check_chat_data(const ChatData& data, const ChatDataConfig& config, std::string_view kind);

}  // namespace vkgpt::text
