#include <charconv>
#include <cstdio>
#include <print>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/text/generate/stop_filter.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/generate.hpp"
#include "cli/model/logits_file.hpp"
#include "cli/model/open_model.hpp"

namespace vkgpt::cli {
namespace {

void print_now(const std::string& text) {
  std::print("{}", text);
  std::fflush(stdout);
}

/// The tokens of --prompt or --prompt_tokens.
std::vector<text::Token> prompt_of(const text::GenerateConfig& config, const text::Tokenizer& tokenizer) {
  if (config.prompt_tokens.empty()) return tokenizer.encode_prompt(config.prompt);
  std::vector<text::Token> tokens;
  std::string_view rest = config.prompt_tokens;
  while (true) {
    text::Token token = -1;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), token);
    const bool is_last = end == rest.data() + rest.size();
    if (error != std::errc() || token < 0 || token >= tokenizer.vocab_size() || (!is_last && *end != ',')) {
      fail_usage("--prompt_tokens: expected numbers from 0 to {} with commas between them, found '{}'",
                 tokenizer.vocab_size() - 1, printable(config.prompt_tokens));
    }
    tokens.push_back(token);
    if (is_last) return tokens;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  }
}

}  // namespace

int run_generate(std::span<const std::string> args) {
  text::GenerateConfig config;
  text::SamplerConfig sampling;
  RunOptions run;
  CommandLine command("generate", "Continues a prompt with a trained model.");
  command.add(config).add(sampling).add(run);
  return command.parse(args) ? generate(config, sampling, run) : 0;
}

int generate(const text::GenerateConfig& config, const text::SamplerConfig& sampling, const RunOptions& run) {
  if (config.stream && run.json) fail_usage("--stream and --json exclude each other");
  if (config.prompt.empty()) fail_usage("--prompt is empty: give at least one character");
  if (!config.logits.empty() && config.num_samples > 1) fail_usage("--logits is for one sample");
  install_interrupt_handlers();

  const OpenModel open = open_model(config.model, config.use_ema, config.tokenizer);
  const text::Tokenizer& tokenizer = *open.tokenizer;
  const std::vector<text::Token> prompt = prompt_of(config, tokenizer);
  const std::string prompt_text = config.prompt_tokens.empty() ? config.prompt : tokenizer.decode(prompt);

  vk::Context context(context_options(run));
  plan::TensorStore store(context);
  text::Generator generator(context, store, open.model.params, tokenizer.vocab_size());
  store.upload(model::tensor::kParams, std::as_bytes(std::span(open.model.arena)));

  nlohmann::ordered_json texts = nlohmann::ordered_json::array();
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (std::int64_t sample = 0; sample < config.num_samples && !interrupted(); ++sample) {
    text::StopFilter filter(tokenizer, {config.stop});
    std::string text = prompt_text;
    std::vector<text::Token> written = prompt;
    const auto show = [&](const std::string& more) {
      if (config.stream) print_now(more);
      text += more;
    };
    if (config.stream) print_now(text);
    generator.generate(prompt, config, sampling, static_cast<std::uint32_t>(sample), [&](text::Token token) {
      show(filter.push(token));
      written.push_back(token);
      return !filter.stopped() && !interrupted();
    });
    show(filter.finish());
    if (!config.logits.empty()) write_logits(config.logits, generator, open.model.params.config(), written);
    context.instance().check_messages();
    if (run.json) {
      texts.push_back(text);
      tokens.push_back(std::span(written).subspan(prompt.size()));
      continue;
    }
    if (!config.stream) print_now(text);
    print_now(sample + 1 < config.num_samples ? "\n----------\n" : "\n");
  }
  if (run.json) {
    const nlohmann::ordered_json record = {
        {"model", open.directory.string()}, {"prompt", prompt_text}, {"texts", texts}, {"tokens", tokens}};
    std::print("{}\n", record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  return static_cast<int>(interrupted() ? ExitCode::kInterrupted : ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
