#include <algorithm>
#include <cstdio>
#include <functional>
#include <print>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/chat/conversation.hpp"
#include "vkgpt/text/corpus/chat_data.hpp"
#include "vkgpt/text/model_fields.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "cli/command/command_line.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

struct ChatTextOptions {
  std::string tokenizer = "gpt2";
  std::string chat_template = "auto";
  bool learn = false;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Tokenizer";
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "gpt2, byte, or a directory or file with one and, it may be, with a template"},
          self.tokenizer);
    visit(text::chat_template_field(kGroup), self.chat_template);
    visit(
        FieldInfo{
            .name = "learn",
            .group = kGroup,
            .help = "Conversations to learn from, in any form that training takes; with --json by_assistant "
                    "tells what is learned"},
        self.learn);
    visit(
        FieldInfo{
            .name = "json",
            .group = kGroup,
            .help = "One JSON object a conversation: text, tokens, which of them the assistant's marks hold"},
        self.json);
  }
};

text::ChatRequest request_of(const text::ChatJson& json, const std::string& where) {
  if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array()) {
    fail("{}: expected an object with a list of messages", where);
  }
  text::ChatRequest request;
  for (const auto& [key, value] : json.items()) {
    if (key == "messages") {
      request.messages = value;
    } else if (key == "tools") {
      request.tools = value;
    } else if (key == "documents") {
      request.documents = value;
    } else if (key == "add_generation_prompt" && value.is_boolean()) {
      request.add_generation_prompt = value.get<bool>();
    } else if (key == "variables" && value.is_object()) {
      request.variables = value;
    } else {
      fail(
          "{}: {} is none of messages, tools, documents, add_generation_prompt, variables, or of another "
          "kind",
          where, json_quoted(key));
    }
  }
  return request;
}

text::ChatRequest conversation_of(std::string_view line, const std::string& where) {
  try {
    return text::parse_conversation(line).request;
  } catch (const text::BadConversation& error) {
    fail("{}: {}: {}", where, text::bad_record_name(error.kind()), error.what());
  }
}

void write_text(const text::ChatFormat& format, const text::ChatRequest& request) {
  for (const text::ChatPiece& piece : format.render(request)) std::print("{}", piece.text);
  std::print("\n");
}

/// Conversations that the template refuses are told in their place.
void write_json(const text::ChatFormat& format, const text::ChatRequest& request, bool learn) {
  text::ChatJson record;
  try {
    std::string written;
    for (const text::ChatPiece& piece : format.render(request)) written += piece.text;
    const text::ChatPrompt prompt = learn ? format.encode_to_learn(request) : format.encode(request);
    record = {{"text", written}, {"tokens", prompt.tokens}, {"by_assistant", text::ChatJson::array()}};
    for (const bool marked : prompt.by_assistant) record["by_assistant"].push_back(marked ? 1 : 0);
  } catch (const Error& error) {
    record = {{"error", error.what()}};
  }
  std::print("{}\n", record.dump(-1, ' ', false, text::ChatJson::error_handler_t::replace));
}

void write_requests(std::string_view input, const std::string& name,
                    const std::function<void(const text::ChatRequest&)>& write) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < input.size();) {
    const std::size_t end = std::min(input.find('\n', begin), input.size());
    const std::string_view line = input.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = vkgpt::format("{}: line {}", name, number);
    write(request_of(text::parse_chat_json(line, where), where));
  }
}

}  // namespace

int run_tokenizer_chat(std::span<const std::string> args) {
  ChatTextOptions options;
  CommandLine command(
      "tokenizer chat",
      "Writes conversations as a model reads them: JSON, one a line, with \"messages\" and, it may be, "
      "\"tools\",\n\"documents\", \"add_generation_prompt\" and \"variables\" ('-' is standard input).",
      "FILE");
  command.add(options);
  if (!command.parse(args)) return 0;
  std::string input = read_tokenizer_input(command.positionals(), "chat FILE|- [--tokenizer NAME]");
  const auto tokenizer = text::open_tokenizer(options.tokenizer);
  const text::ChatFormat format(*tokenizer, options.chat_template);
  const auto write = [&](const text::ChatRequest& request) {
    options.json ? write_json(format, request, options.learn) : write_text(format, request);
  };
  if (options.learn) {
    text::for_each_conversation(
        std::move(input), command.positionals()[0],
        [&](std::string_view record, const std::string& place) { write(conversation_of(record, place)); });
  } else {
    write_requests(input, printable(command.positionals()[0]), write);
  }
  std::fflush(stdout);
  return 0;
}

}  // namespace vkgpt::cli
