#pragma once

#include "vkgpt/text/corpus/chat_data.hpp"

namespace vkgpt::text {

/// Reads, checks and encodes pairs of replies as `read_chat_data` does conversations: documents 2k and 2k + 1
/// of a split are the chosen and the rejected of a pair, and what counts of each is what its assistant says
/// behind the prompt. Pairs of one prompt fall to one split. `counts.conversations` are pairs.
ChatData read_preference_data(std::span<const Path> files, const Tokenizer& tokenizer,
                              const ChatDataConfig& config);

}  // namespace vkgpt::text
