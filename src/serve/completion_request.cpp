#include "serve/completion_request.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"

#include "serve/request_error.hpp"

namespace vkgpt::serve {

std::string RequestError::body() const {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  const Json error = {
      {"message", what()}, {"type", type_}, {"param", or_null(param_)}, {"code", or_null(code_)}};
  return Json{{"error", error}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {

constexpr std::int64_t kMostChoices = 16;
constexpr std::size_t kMostStops = 4, kLongestStop = 256;
constexpr std::int64_t kMostLikely = 20;
constexpr std::size_t kMostMessages = 4096;

[[noreturn]] void refuse(const std::string& param, const std::string& message) {
  throw RequestError(400, "invalid_request_error", "invalid_value", message, param);
}

/// A member of the body; null and absent are the same.
class Body {
 public:
  explicit Body(const Json& json) : json_(json) {}

  const Json* find(const char* name) const {
    const auto found = json_.find(name);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool flag(const char* name) const {
    const Json* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) refuse(name, vkgpt::format("'{}' must be true or false", name));
    return value->get<bool>();
  }
  std::string text(const char* name) const {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) refuse(name, vkgpt::format("'{}' must be a string", name));
    return value->get<std::string>();
  }
  std::optional<std::int64_t> whole(const char* name, std::int64_t min, std::int64_t max) const {
    const Json* value = find(name);
    if (value == nullptr) return std::nullopt;
    const bool fits =
        value->is_number_integer() &&
        (!value->is_number_unsigned() ||
         value->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
    if (!fits || value->get<std::int64_t>() < min || value->get<std::int64_t>() > max) {
      refuse(name, vkgpt::format("'{}' must be a whole number from {} to {}", name, min, max));
    }
    return value->get<std::int64_t>();
  }
  /// In [min, max], or in (min, max] where `min_open`.
  void number(const char* name, double min, double max, bool min_open, double& into) const {
    const Json* value = find(name);
    if (value == nullptr) return;
    const double number =
        value->is_number() ? value->get<double>() : std::numeric_limits<double>::quiet_NaN();
    const bool is_inside = (min_open ? number > min : number >= min) && number <= max;
    if (!is_inside) {
      refuse(name, vkgpt::format("'{}' must be a number {} {} and at most {}", name,
                                 min_open ? "above" : "from", min, max));
    }
    into = number;
  }

 private:
  const Json& json_;
};

/// Names of other servers' members that change the answer, and that a client would miss.
constexpr std::array<const char*, 37> kUnsupported = {
    "tools",           "functions",       "function_call",  "logit_bias",     "suffix",
    "audio",           "prediction",      "min_p",          "typical_p",      "typical",
    "tfs_z",           "top_a",           "top_n_sigma",    "mirostat",       "dynatemp_range",
    "xtc_probability", "dry_multiplier",  "repeat_penalty", "length_penalty", "no_repeat_ngram_size",
    "use_beam_search", "min_tokens",      "ignore_eos",     "stop_token_ids", "stop_sequences",
    "bad_words",       "n_predict",       "max_new_tokens", "grammar",        "json_schema",
    "guided_json",     "guided_regex",    "guided_choice",  "guided_grammar", "structured_outputs",
    "prompt_logprobs", "reasoning_effort"};

/// Whether a value asks for nothing: false, 0, "" and what is empty.
bool is_nothing(const Json& value) {
  return value == false || value == 0 || value == "" || (value.is_structured() && value.empty());
}

/// Values with which other servers' members do nothing.
bool is_default(std::string_view name, const Json& value) {
  if (name == "typical_p" || name == "typical" || name == "tfs_z" || name == "repeat_penalty" ||
      name == "length_penalty") {
    return value == 1;
  }
  if (name == "n_predict" || name == "top_n_sigma") return value == -1;
  if (name == "reasoning_effort") return value == "none";
  return name == "function_call" && (value == "none" || value == "auto");
}

/// Members that ask for what this server does not do; what they must be to ask for nothing.
void refuse_what_would_be_ignored(const Body& body) {
  for (const char* name : {"frequency_penalty", "presence_penalty"}) {
    const Json* value = body.find(name);
    if (value != nullptr && *value != 0) {
      refuse(name, vkgpt::format("'{}' is not supported; 'repetition_penalty' is", name));
    }
  }
  for (const char* name : kUnsupported) {
    const Json* value = body.find(name);
    if (value != nullptr && !is_nothing(*value) && !is_default(name, *value)) {
      refuse(name, vkgpt::format("'{}' is not supported", name));
    }
  }
  if (const Json* choice = body.find("tool_choice"); choice && *choice != "none" && *choice != "auto") {
    refuse("tool_choice", "'tool_choice' can only be none or auto: there are no tools");
  }
  if (const Json* kinds = body.find("modalities"); kinds && *kinds != Json::array({"text"})) {
    refuse("modalities", "'modalities' can only be [\"text\"]");
  }
  if (body.find("echo") != nullptr && body.flag("echo")) refuse("echo", "'echo' is not supported");
  if (const Json* format = body.find("response_format")) {
    if (!format->is_object() || format->value("type", Json()) != "text") {
      refuse("response_format", "'response_format' can only be {\"type\": \"text\"}");
    }
  }
  if (const Json* best = body.find("best_of"); best != nullptr && *best != 1) {
    refuse("best_of", "'best_of' is not supported");
  }
}

std::string role_of(const std::string& role, const std::string& where) {
  if (role == "developer") return "system";
  if (role == "system" || role == "user" || role == "assistant") return role;
  refuse(where, vkgpt::format("'{}.role' must be system, developer, user or assistant", where));
}

/// A string, or parts {"type": "text", "text": ...}.
std::string content_of(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array())
    refuse(where, vkgpt::format("'{}.content' must be a string or a list of parts", where));
  std::string text;
  for (const Json& part : content) {
    if (!part.is_object() || part.value("type", Json()) != "text" ||
        !part.value("text", Json()).is_string()) {
      refuse(where,
             vkgpt::format("'{}.content' may only have parts of type text: the model reads nothing else",
                           where));
    }
    text += part["text"].get<std::string>();
  }
  return text;
}

text::ChatJson messages_of(const Body& body) {
  const Json* messages = body.find("messages");
  if (messages == nullptr || !messages->is_array() || messages->empty() || messages->size() > kMostMessages) {
    refuse("messages", vkgpt::format("'messages' must be a list of 1 to {} messages", kMostMessages));
  }
  text::ChatJson result = text::ChatJson::array();
  for (const Json& message : *messages) {
    const std::string where = vkgpt::format("messages[{}]", result.size());
    if (!message.is_object() || !message.value("role", Json()).is_string() || !message.contains("content")) {
      refuse(where, vkgpt::format("'{}' must have a role and a content", where));
    }
    for (const char* name : {"tool_calls", "function_call"}) {
      const Json* calls = Body(message).find(name);
      if (calls != nullptr && !is_nothing(*calls)) {
        refuse(where, vkgpt::format("'{}.{}' is not supported", where, name));
      }
    }
    result.push_back(
        {{"role", role_of(message["role"], where)}, {"content", content_of(message["content"], where)}});
  }
  return result;
}

/// What the template may ask for besides: {"enable_thinking": false}.
text::ChatJson template_variables_of(const Body& body) {
  const Json* variables = body.find("chat_template_kwargs");
  if (variables == nullptr) return text::ChatJson::object();
  if (!variables->is_object()) refuse("chat_template_kwargs", "'chat_template_kwargs' must be an object");
  return text::parse_chat_json(variables->dump(), "chat_template_kwargs");
}

std::vector<text::Token> tokens_of(const Json& list) {
  std::vector<text::Token> tokens;
  for (const Json& token : list) {
    if (!token.is_number_unsigned() || token.get<std::uint64_t>() > std::numeric_limits<text::Token>::max()) {
      refuse("prompt", "a 'prompt' of tokens must be a list of whole numbers");
    }
    tokens.push_back(token.get<text::Token>());
  }
  return tokens;
}

/// A text, several, tokens, or several lists of them.
std::vector<Prompt> prompts_of(const Body& body) {
  const Json* prompt = body.find("prompt");
  if (prompt != nullptr && prompt->is_string()) return {prompt->get<std::string>()};
  if (prompt == nullptr || !prompt->is_array() || prompt->empty()) {
    refuse("prompt", "'prompt' must be a string, a list of strings, or tokens");
  }
  if ((*prompt)[0].is_number()) return {tokens_of(*prompt)};
  std::vector<Prompt> prompts;
  for (const Json& each : *prompt) {
    if (each.is_string()) {
      prompts.emplace_back(each.get<std::string>());
    } else if (each.is_array()) {
      prompts.emplace_back(tokens_of(each));
    } else {
      refuse("prompt", "'prompt' must be a string, a list of strings, or tokens");
    }
    if (prompts.size() > kMostChoices)
      refuse("prompt", vkgpt::format("'prompt' has more than {} texts", kMostChoices));
  }
  return prompts;
}

std::vector<std::string> stops_of(const Body& body) {
  const Json* stop = body.find("stop");
  if (stop == nullptr) return {};
  const Json list = stop->is_string() ? Json::array({*stop}) : *stop;
  const auto is_stop = [](const Json& each) {
    return each.is_string() && !each.get_ref<const std::string&>().empty() &&
           each.get_ref<const std::string&>().size() <= kLongestStop;
  };
  if (!list.is_array() || list.size() > kMostStops || !std::ranges::all_of(list, is_stop)) {
    refuse("stop", vkgpt::format("'stop' must be a string or up to {} of them, of 1 to {} bytes", kMostStops,
                                 kLongestStop));
  }
  return list.get<std::vector<std::string>>();
}

void read_logprobs(const Body& body, CompletionRequest& request) {
  if (request.is_chat) {
    request.wants_logprobs = body.flag("logprobs");
    const std::optional<std::int64_t> top = body.whole("top_logprobs", 0, kMostLikely);
    if (top && *top > 0 && !request.wants_logprobs) {
      refuse("top_logprobs", "'top_logprobs' needs 'logprobs' to be true");
    }
    request.likeliest = static_cast<std::size_t>(top.value_or(0));
    return;
  }
  const std::optional<std::int64_t> count = body.whole("logprobs", 0, kMostLikely);
  request.wants_logprobs = count.has_value();
  request.likeliest = static_cast<std::size_t>(count.value_or(0));
}

void read_sampling(const Body& body, text::SamplerConfig& sampling) {
  body.number("temperature", 0, 2, false, sampling.temperature);
  body.number("top_p", 0, 1, true, sampling.top_p);
  body.number("repetition_penalty", 0, 100, true, sampling.repetition_penalty);
  sampling.top_k = body.whole("top_k", 0, 1 << 24).value_or(sampling.top_k);
}

}  // namespace

CompletionRequest parse_completion_request(std::string_view text, bool is_chat,
                                           const text::SamplerConfig& defaults) {
  Json json;
  try {
    json = parse_json(text, "the body");
  } catch (const Error& error) {
    throw RequestError(400, "invalid_request_error", "invalid_json", error.what());
  }
  if (!json.is_object()) refuse("", "the body must be a JSON object");
  const Body body(json);
  refuse_what_would_be_ignored(body);
  CompletionRequest request{.is_chat = is_chat, .model = body.text("model"), .sampling = defaults};
  if (is_chat) {
    request.messages = messages_of(body);
    request.template_variables = template_variables_of(body);
  } else {
    request.prompts = prompts_of(body);
  }
  request.streams = body.flag("stream");
  if (const Json* options = body.find("stream_options")) {
    if (!options->is_object() || !request.streams) {
      refuse("stream_options", "'stream_options' must be an object, and 'stream' true");
    }
    request.includes_usage = Body(*options).flag("include_usage");
  }
  const std::int64_t choices = body.whole("n", 1, kMostChoices).value_or(1);
  if (choices * static_cast<std::int64_t>(request.prompts.size()) > kMostChoices) {
    refuse("n", vkgpt::format("the prompts times 'n' are more than {} texts", kMostChoices));
  }
  request.choices = static_cast<std::uint32_t>(choices);
  request.max_tokens = body.whole("max_tokens", 1, 1 << 30);
  if (const auto most = body.whole("max_completion_tokens", 1, 1 << 30)) request.max_tokens = most;
  request.stops = stops_of(body);
  if (const auto seed = body.whole("seed", INT64_MIN, INT64_MAX))
    request.seed = static_cast<std::uint64_t>(*seed);
  read_sampling(body, request.sampling);
  read_logprobs(body, request);
  return request;
}

}  // namespace vkgpt::serve
