#include <algorithm>
#include <charconv>
#include <cstdio>
#include <print>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/text/generate/stop_filter.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/context_length.hpp"
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

/// The texts of a run: they grow together and are printed one after the other, as they end or with --stream
/// as they come.
class Samples {
 public:
  Samples(const text::GenerateConfig& config, bool is_json, const text::Tokenizer& tokenizer,
          std::span<const text::Token> prompt, const std::string& prompt_text)
      : count_(config.num_samples),
        is_json_(is_json),
        streams_(config.stream),
        prompt_(prompt),
        prompt_text_(prompt_text) {
    for (std::int64_t i = 0; i < count_; ++i) {
      samples_.push_back({.filter = text::StopFilter(tokenizer, {config.stop}), .words = prompt_text_});
    }
    print_what_is_due();
  }

  /// Whether the text goes on.
  bool add(std::size_t number, text::Token token, bool is_last) {
    Sample& sample = samples_[number];
    sample.words += sample.filter.push(token);
    sample.tokens.push_back(token);
    if (is_last) sample.words += sample.filter.finish();
    sample.is_done = is_last || sample.filter.stopped();
    print_what_is_due();
    return !sample.is_done;
  }

  /// What was begun ends here.
  void finish() {
    for (Sample& sample : samples_) {
      if (sample.is_done || sample.tokens.empty()) continue;
      sample.words += sample.filter.finish();
      sample.is_done = true;
    }
    print_what_is_due();
  }

  /// Prompt and what was added.
  std::vector<text::Token> tokens_of(std::size_t number) const {
    std::vector<text::Token> all(prompt_.begin(), prompt_.end());
    all.insert(all.end(), samples_[number].tokens.begin(), samples_[number].tokens.end());
    return all;
  }

  nlohmann::ordered_json record(const std::string& model) const {
    nlohmann::ordered_json texts = nlohmann::ordered_json::array(), tokens = nlohmann::ordered_json::array();
    for (const Sample& sample : samples_) {
      if (!sample.is_done) continue;
      texts.push_back(sample.words);
      tokens.push_back(sample.tokens);
    }
    return {{"model", model}, {"prompt", prompt_text_}, {"texts", texts}, {"tokens", tokens}};
  }

 private:
  struct Sample {
    text::StopFilter filter;
    std::string words;
    std::vector<text::Token> tokens = {};
    bool is_done = false;
    std::size_t printed = 0;  // bytes of text
  };

  void print_what_is_due() {
    for (; !is_json_ && due_ < count_; ++due_) {
      Sample& sample = samples_[static_cast<std::size_t>(due_)];
      if (!sample.is_done && !streams_) return;
      print_now(sample.words.substr(std::exchange(sample.printed, sample.words.size())));
      if (!sample.is_done) return;
      print_now(due_ + 1 < count_ ? "\n----------\n" : "\n");
    }
  }

  std::int64_t count_;
  bool is_json_, streams_;
  std::span<const text::Token> prompt_;
  const std::string& prompt_text_;
  std::vector<Sample> samples_;
  std::int64_t due_ = 0;  // the text that is printed next
};

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

  const ModelSource open = open_model_source(config.model, config.adapter, config.use_ema, config.tokenizer);
  const text::Tokenizer& tokenizer = *open.tokenizer;
  const std::vector<text::Token> prompt = prompt_of(config, tokenizer);
  const std::string prompt_text = config.prompt_tokens.empty() ? config.prompt : tokenizer.decode(prompt);

  vk::Context context(context_options(run));
  plan::TensorStore store(context);
  const std::int64_t together = std::min(config.num_samples, model::decode::kMostRows);
  const model::DecodeOptions options = model::decode_options(config.dtype, together);
  const model::Adapter* adapter = open.chosen_adapter();
  const std::int64_t needed = std::ssize(prompt) + config.max_new_tokens;
  const model::GptParams params =
      with_context(open.params, config.block_size, needed, options, context.caps());
  text::Generator generator(context, store, params, tokenizer.vocab_size(), options, adapter);
  model::upload_decode_params(store, params, *open.weights, options,
                              std::span(adapter, adapter == nullptr ? 0 : 1));

  Samples samples(config, run.json, tokenizer, prompt, prompt_text);
  generator.generate_all(
      prompt, config, sampling,
      [&](std::uint32_t sample, text::Token token, bool is_last) {
        return samples.add(sample, token, is_last) && !interrupted();
      },
      [] { return !interrupted(); });
  samples.finish();
  if (!config.logits.empty()) {
    write_logits(config.logits, generator, params.config(), samples.tokens_of(0));
  }
  context.instance().check_messages();
  if (run.json) {
    const nlohmann::ordered_json record = samples.record(open.directory.string());
    std::print("{}\n", record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  return static_cast<int>(interrupted() ? ExitCode::kInterrupted : ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
