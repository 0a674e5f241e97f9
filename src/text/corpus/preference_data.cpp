#include "vkgpt/text/corpus/preference_data.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/chat/preference_pair.hpp"
#include "vkgpt/text/corpus/prepare.hpp"

#include "text/corpus/record_file.hpp"

namespace vkgpt::text {
namespace {

/// Two replies in tokens, or why they are none.
struct EncodedPair {
  std::array<ChatPrompt, 2> replies;
  bool for_validation = false;
  std::optional<BadRecord> bad;
  std::string why;
};

/// The tokens of a conversation of which only what an assistant says after `earlier` other replies counts.
ChatPrompt encode_ending(const ChatFormat& format, const ChatRequest& request, std::size_t earlier) {
  ChatPrompt prompt;
  try {
    prompt = format.encode_to_learn(request);
  } catch (const Error& error) {
    throw BadConversation(BadRecord::kTemplate, error.what());
  }
  auto next = prompt.by_assistant.begin();
  for (std::size_t reply = 0; reply < earlier; ++reply) {
    next = std::find(next, prompt.by_assistant.end(), true);
    const auto end = std::find(next, prompt.by_assistant.end(), false);
    std::fill(next, end, false);
    next = end;
  }
  if (std::find(next, prompt.by_assistant.end(), true) == prompt.by_assistant.end()) {
    throw BadConversation(BadRecord::kNoReply, "the template writes nothing that an assistant says");
  }
  return prompt;
}

/// What both begin with: pairs of one prompt are held out together.
std::string prompt_text(const PreferencePair& pair) {
  const ChatJson &a = pair.chosen.messages, &b = pair.rejected.messages;
  ChatJson common = ChatJson::array();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()) && a[i] == b[i]; ++i) common.push_back(a[i]);
  return common.dump(-1, ' ', false, ChatJson::error_handler_t::replace);
}

EncodedPair encode_pair(std::string_view record, const ChatFormat& format, double val_fraction) {
  EncodedPair encoded;
  try {
    const PreferencePair pair = parse_preference_pair(record);
    encoded.for_validation = draw_validation(sha256(prompt_text(pair)), val_fraction);
    encoded.replies = {encode_ending(format, pair.chosen, pair.earlier_replies),
                       encode_ending(format, pair.rejected, pair.earlier_replies)};
  } catch (const BadConversation& error) {
    encoded.bad = error.kind();
    encoded.why = error.what();
  }
  return encoded;
}

}  // namespace

ChatData read_preference_data(std::span<const Path> files, const Tokenizer& tokenizer,
                              const ChatDataConfig& config) {
  const ChatFormat format(tokenizer, config.chat_template, config.time);
  ChatData data;
  const auto encoded = [&](std::string_view record) {
    return encode_pair(record, format, config.val_fraction);
  };
  for_each_record(files, encoded, [&](const EncodedPair& pair, const std::string& place) {
    if (pair.bad) return note_bad(data.counts, *pair.bad, pair.why, place);
    ++data.counts.conversations;
    for (const ChatPrompt& reply : pair.replies) {
      append_prompt(data.splits[pair.for_validation ? 1 : 0], reply);
    }
  });
  check_chat_data(data, config, "pairs");
  return data;
}

}  // namespace vkgpt::text
