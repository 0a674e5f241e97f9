#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::serve {

/// A text, or tokens as they are.
using Prompt = std::variant<std::string, std::vector<text::Token>>;

/// The body of a request to /v1/chat/completions or /v1/completions, checked.
struct CompletionRequest {
  bool is_chat = false;
  std::string model = {};                                        // empty: whichever there is
  text::ChatJson messages = text::ChatJson::array();             // of a chat
  text::ChatJson template_variables = text::ChatJson::object();  // "chat_template_kwargs"
  std::vector<Prompt> prompts = {};                              // else
  bool streams = false;
  bool includes_usage = false;  // in a stream
  std::uint32_t choices = 1;    // for each prompt
  std::optional<std::int64_t> max_tokens = {};
  std::vector<std::string> stops = {};
  std::optional<std::uint64_t> seed = {};
  text::SamplerConfig sampling = {};
  bool wants_logprobs = false;
  std::size_t likeliest = 0;
};

/// Parses a body of unknown origin; what it leaves open is as `defaults` say. Throws `RequestError` for what
/// is no request, out of range, or would be ignored though it changes the answer.
CompletionRequest parse_completion_request(std::string_view body, bool is_chat,
                                           const text::SamplerConfig& defaults);

}  // namespace vkgpt::serve
