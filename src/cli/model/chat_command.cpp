#include <array>
#include <cstdint>
#include <cstdio>
#include <print>
#include <span>
#include <string>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/text/chat/chat_format.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/generate/stop_filter.hpp"
#include "vkgpt/text/model_fields.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/context_length.hpp"
#include "cli/model/open_model.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

struct ChatOptions {
  std::string model;
  std::string adapter;
  std::string chat_template = "auto";
  std::string system;
  std::string user_prefix;
  std::string reply_prefix;
  std::string turn_end;
  std::int64_t max_new_tokens = 512;
  std::int64_t block_size = 0;
  std::uint64_t seed = 1337;
  std::string dtype = "f32";
  bool use_ema = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Conversation";
    visit(FieldInfo{.name = "model", .group = kGroup, .help = "Run directory or model directory"},
          self.model);
    visit(text::adapter_field(kGroup), self.adapter);
    visit(text::chat_template_field(kGroup), self.chat_template);
    visit(FieldInfo{.name = "system", .group = kGroup, .help = "What the model is told first"}, self.system);
    visit(FieldInfo{.name = "user_prefix", .group = kGroup, .help = "Before what you say, if not as usual"},
          self.user_prefix);
    visit(FieldInfo{.name = "reply_prefix", .group = kGroup, .help = "Before a reply, if not as usual"},
          self.reply_prefix);
    visit(FieldInfo{.name = "turn_end", .group = kGroup, .help = "After a turn, if not as usual"},
          self.turn_end);
    visit(FieldInfo{.name = "max_new_tokens",
                    .group = kGroup,
                    .help = "Longest reply, in tokens",
                    .min = 1,
                    .max = 1e9},
          self.max_new_tokens);
    visit(text::context_field(kGroup), self.block_size);
    visit(FieldInfo{.name = "seed", .group = kGroup, .help = "Same seed and words, same replies"}, self.seed);
    visit(text::weights_dtype_field(kGroup), self.dtype);
    visit(text::use_ema_field(kGroup), self.use_ema);
  }
};

text::ChatFormat format_as_asked(const ChatOptions& options, const text::Tokenizer& tokenizer) {
  if (options.user_prefix.empty() && options.reply_prefix.empty() && options.turn_end.empty()) {
    return text::ChatFormat(tokenizer, options.chat_template);
  }
  if (options.chat_template == "own") {
    fail_usage(
        "--template own: the model's template writes turns itself; leave --user_prefix and the like out");
  }
  text::ChatTurns turns = text::chat_turns(options.chat_template, tokenizer);
  if (!options.user_prefix.empty()) turns.user_prefix = options.user_prefix;
  if (!options.reply_prefix.empty()) turns.reply_prefix = options.reply_prefix;
  if (!options.turn_end.empty()) turns.turn_end = options.turn_end;
  return {tokenizer, turns};
}

text::ChatFormat format_of(const ChatOptions& options, const text::Tokenizer& tokenizer) {
  try {
    return format_as_asked(options, tokenizer);
  } catch (const Error& error) {
    if (error.exit_code() == ExitCode::kUsage) throw;
    fail(
        "{}; choose another with --template, or write turns with --user_prefix, --reply_prefix and "
        "--turn_end",
        error.what());
  }
}

/// Lines of standard input.
class LineReader {
 public:
  bool is_terminal() const { return is_terminal_; }

  /// The next line that is not empty, without its end; false at the end of the input and after a signal.
  bool next(std::string& line) {
    do {
      if (is_terminal_) std::print(stderr, "> ");
      if (!take(line)) return false;
    } while (line.empty());
    return true;
  }

 private:
  bool take(std::string& line) {
    std::size_t end = 0;
    while ((end = pending_.find('\n')) == std::string::npos) {
      if (fill()) continue;
      if (pending_.empty() || interrupted()) return false;
      pending_ += '\n';
    }
    line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    return true;
  }

  /// Waits for more; false at the end of the input and after a signal. A read is restarted after a signal, so
  /// it begins only where there is something to read; a signal just before `poll` is seen after its timeout.
  bool fill() {
    constexpr int kTimeoutMilliseconds = 100;
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (!interrupted()) {
      if (poll(&input, 1, kTimeoutMilliseconds) <= 0) continue;
      std::array<char, 4096> bytes{};
      const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
      if (count > 0) pending_.append(bytes.data(), static_cast<std::size_t>(count));
      return count > 0;
    }
    return false;
  }

  bool is_terminal_ = isatty(STDIN_FILENO) == 1;
  std::string pending_;
};

/// A conversation with a model on a device.
class Chat {
 public:
  Chat(const ChatOptions& options, const text::SamplerConfig& sampling, const ModelSource& open,
       vk::Context& context)
      : options_(options),
        sampling_(sampling),
        tokenizer_(*open.tokenizer),
        format_(format_of(options, tokenizer_)),
        context_(context),
        store_(context),
        params_(with_context(open.params, options.block_size, open.params.config().block_size,
                             model::decode_options(options.dtype, 1), context.caps())),
        generator_(context, store_, params_, tokenizer_.vocab_size(), model::decode_options(options.dtype, 1),
                   open.chosen_adapter()) {
    const model::Adapter* adapter = open.chosen_adapter();
    model::upload_decode_params(store_, params_, *open.weights, model::decode_options(options.dtype, 1),
                                std::span(adapter, adapter == nullptr ? 0 : 1));
    reset();
  }

  void reset() {
    request_.messages = text::ChatJson::array();
    if (!options_.system.empty()) add("system", options_.system);
  }

  /// Prints the reply as it comes. A signal ends the reply, not the conversation. False, with a line on
  /// standard error, where the words cannot be said to the model: it has not heard them then.
  bool say(const std::string& words) {
    add("user", words);
    std::vector<text::Token> prompt;
    try {
      prompt = format_.encode(request_).tokens;
    } catch (const Error& error) {
      log_error("{}", error.what());
      request_.messages.erase(request_.messages.size() - 1);
      return false;
    }
    text::GenerateConfig config;
    config.max_new_tokens = options_.max_new_tokens;
    config.seed = options_.seed;
    text::StopFilter filter(tokenizer_, format_.stops());
    std::string reply;
    const auto show = [&](const std::string& more) {
      std::print("{}", more);
      std::fflush(stdout);
      reply += more;
    };
    generator_.generate(prompt, config, sampling_, turn_++, [&](text::Token token) {
      show(filter.push(token));
      return !filter.stopped() && !interrupted();
    });
    show(filter.finish());
    std::print("\n");
    std::fflush(stdout);
    context_.instance().check_messages();
    add("assistant", reply);
    clear_interrupt();
    return true;
  }

 private:
  void add(const char* role, const std::string& words) {
    request_.messages.push_back({{"role", role}, {"content", words}});
  }

  const ChatOptions& options_;
  const text::SamplerConfig& sampling_;
  const text::Tokenizer& tokenizer_;
  text::ChatFormat format_;
  vk::Context& context_;
  plan::TensorStore store_;
  model::GptParams params_;
  text::Generator generator_;
  text::ChatRequest request_;
  std::uint32_t turn_ = 0;
};

}  // namespace

int run_chat(std::span<const std::string> args) {
  ChatOptions options;
  text::SamplerConfig sampling;
  RunOptions run;
  CommandLine command(
      "chat",
      "Talks with a model: each line of standard input is a turn, each reply goes to standard "
      "output.\nThe line /reset begins anew, /quit ends.");
  command.add(options).add(sampling).add(run);
  if (!command.parse(args)) return 0;
  if (run.json) fail_usage("--json: a conversation has no summary; 'vkgpt generate' writes JSON");
  const ModelSource open = open_model_source(options.model, options.adapter, options.use_ema);
  vk::Context context(context_options(run));
  log_info("{} on {}", open.directory.string(), context.caps().name);
  Chat chat(options, sampling, open, context);
  install_interrupt_handlers();
  LineReader input;
  bool is_all_said = true;
  for (std::string line; !interrupted() && input.next(line) && line != "/quit";) {
    if (line == "/reset") {
      chat.reset();
    } else if (!chat.say(line)) {
      is_all_said = false;
    }
  }
  if (interrupted()) return static_cast<int>(ExitCode::kInterrupted);
  // At a terminal the user has seen the line and gone on.
  return static_cast<int>(is_all_said || input.is_terminal() ? ExitCode::kSuccess : ExitCode::kFailure);
}

}  // namespace vkgpt::cli
