#include "vkgpt/text/corpus/chat_data.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/corpus/prepare.hpp"

#include "text/corpus/file_kind.hpp"
#include "text/corpus/record_file.hpp"
#include "text/corpus/unpacker.hpp"

namespace vkgpt::text {
namespace {

/// A conversation in tokens, or why it is none.
struct EncodedConversation {
  ChatPrompt prompt;
  std::size_t form = 0;
  bool for_validation = false;
  std::optional<BadRecord> bad;
  std::string why;
};

std::size_t number_of_form(std::string_view form) {
  return static_cast<std::size_t>(std::ranges::find(kConversationForms, form) -
                                  std::begin(kConversationForms));
}

EncodedConversation encode_conversation(std::string_view record, const ChatFormat& format,
                                        double val_fraction) {
  EncodedConversation encoded;
  try {
    const Conversation conversation = parse_conversation(record);
    encoded.form = number_of_form(conversation.form);
    const std::string words =
        conversation.request.messages.dump(-1, ' ', false, ChatJson::error_handler_t::replace);
    encoded.for_validation = draw_validation(sha256(words), val_fraction);
    try {
      encoded.prompt = format.encode_to_learn(conversation.request);
    } catch (const Error& error) {
      throw BadConversation(BadRecord::kTemplate, error.what());
    }
    if (!std::ranges::contains(encoded.prompt.by_assistant, true)) {
      throw BadConversation(BadRecord::kNoReply, "the template writes nothing that an assistant says");
    }
  } catch (const BadConversation& error) {
    encoded.bad = error.kind();
    encoded.why = error.what();
  }
  return encoded;
}

void note(ChatDataCounts& counts, const EncodedConversation& encoded, const std::string& place) {
  if (encoded.bad) return note_bad(counts, *encoded.bad, encoded.why, place);
  ++counts.conversations;
  ++counts.forms[encoded.form];
}

/// The beginning of a file's text.
std::string beginning(const Path& path) {
  constexpr std::size_t kBytes = std::size_t{4} << 20;
  const InputFile file(path);
  std::string bytes(std::min<std::uint64_t>(file.size(), kBytes), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(bytes)));
  if (!is_packed(bytes)) return bytes;
  Unpacker unpacker(path);
  bytes.resize(kBytes);
  bytes.resize(unpacker.read(bytes));
  return bytes;
}

/// A record as far as the beginning of a text holds it; nothing where it cannot be read.
ChatJson first_record(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kJsonSpace);
  if (begin == std::string_view::npos) return {};
  if (text[begin] == '[') {
    // Its first element: up to the brace at which it can be read.
    const std::size_t open = text.find('{', begin);
    for (std::size_t end = text.find('}', begin);
         open != std::string_view::npos && end != std::string_view::npos; end = text.find('}', end + 1)) {
      ChatJson record = ChatJson::parse(text.substr(open, end + 1 - open), nullptr, false);
      if (record.is_object()) return record;
      if (end - open > 65536) break;
    }
    return {};
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    ChatJson record = ChatJson::parse(text.substr(0, end), nullptr, false);
    if (record.is_object()) return record;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace

void append_prompt(TokenizedDocuments& split, const ChatPrompt& prompt) {
  split.documents.spans.push_back(
      {.begin = split.tokens.size(), .tokens = static_cast<std::uint32_t>(prompt.tokens.size())});
  split.tokens.insert(split.tokens.end(), prompt.tokens.begin(), prompt.tokens.end());
  split.documents.counted.insert(split.documents.counted.end(), prompt.by_assistant.begin(),
                                 prompt.by_assistant.end());
}

void note_bad(ChatDataCounts& counts, BadRecord kind, const std::string& why, const std::string& place) {
  ChatDataCounts::Bad& bad = counts.bad[static_cast<std::size_t>(kind)];
  if (bad.count++ == 0) bad.first = place + ": " + why;
}

void check_chat_data(const ChatData& data, const ChatDataConfig& config, std::string_view kind) {
  const std::uint64_t bad = data.counts.bad_count();
  if (bad > 0 && (!config.skip_bad || data.counts.conversations == 0)) {
    fail("{} of {} {} cannot be used: {}{}", bad, bad + data.counts.conversations, kind,
         data.counts.bad_text(),
         data.counts.conversations == 0 ? "" : ": mend them, or pass over them with --bad_data skip");
  }
  if (bad > 0) {
    log_warning("{} of {} {} are passed over: {}", bad, bad + data.counts.conversations, kind,
                data.counts.bad_text());
  }
  if (data.splits[0].tokens.empty())
    fail("no {} left to train on", kind == "pairs" ? "pair is" : "conversation is");
}

std::uint64_t ChatDataCounts::bad_count() const {
  std::uint64_t sum = 0;
  for (const Bad& kind : bad) sum += kind.count;
  return sum;
}

std::string ChatDataCounts::text() const {
  std::string kinds;
  for (std::size_t i = 0; i < forms.size(); ++i) {
    if (forms[i] == 0) continue;
    if (!kinds.empty()) kinds += ", ";
    kinds += forms[i] == conversations ? std::string(kConversationForms[i])
                                       : vkgpt::format("{} {}", forms[i], kConversationForms[i]);
  }
  return vkgpt::format("{} conversations ({})", conversations, kinds);
}

std::string ChatDataCounts::bad_text() const {
  std::string text;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    if (bad[i].count == 0) continue;
    if (!text.empty()) text += "; ";
    text +=
        vkgpt::format("{} {} ({})", bad[i].count, bad_record_name(static_cast<BadRecord>(i)), bad[i].first);
  }
  return text;
}

bool holds_conversations(const Path& file) {
  if (!is_json_lines(file)) return false;
  const std::string text = beginning(file);
  const ChatJson record =
      first_record(std::string_view(text).starts_with("\xef\xbb\xbf") ? std::string_view(text).substr(3)
                                                                      : std::string_view(text));
  return is_conversation(record) && !record.contains("text");
}

void for_each_conversation(
    std::string bytes, const std::string& name,
    const std::function<void(std::string_view record, const std::string& place)>& use) {
  const RecordFile file(printable(name, 200), std::move(bytes));
  for (const Record& record : file.records()) use(record.text, file.place(record));
}

ChatData read_chat_data(std::span<const Path> files, const Tokenizer& tokenizer,
                        const ChatDataConfig& config) {
  const ChatFormat format(tokenizer, config.chat_template, config.time);
  ChatData data;
  const auto encoded = [&](std::string_view record) {
    return encode_conversation(record, format, config.val_fraction);
  };
  for_each_record(files, encoded, [&](const EncodedConversation& conversation, const std::string& place) {
    note(data.counts, conversation, place);
    if (!conversation.bad) {
      append_prompt(data.splits[conversation.for_validation ? 1 : 0], conversation.prompt);
    }
  });
  check_chat_data(data, config, "conversations");
  return data;
}

}  // namespace vkgpt::text
