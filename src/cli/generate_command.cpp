#include <cstdio>
#include <memory>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/cli/command_line.hpp"
#include "vkgpt/cli/commands.hpp"
#include "vkgpt/cli/generate.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/text/generator.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::cli {
namespace {

void print_now(const std::string& text) {
  std::print("{}", text);
  std::fflush(stdout);
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
  if (config.model.empty()) fail_usage("--model is missing: give a run directory or a checkpoint");
  if (config.stream && run.json) fail_usage("--stream and --json exclude each other");
  if (config.prompt.empty()) fail_usage("--prompt is empty: give at least one character");
  install_interrupt_handlers();

  const Path directory = train::find_model_directory(config.model);
  const model::LoadedModel model = model::load_model(directory, config.use_ema);
  const model::GptConfig& model_config = model.params.config();
  const std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(directory);
  if (tokenizer->vocab_size() != model_config.vocab_size) {
    fail("{}: the tokenizer has {} tokens, the model {}", directory.string(), tokenizer->vocab_size(),
         model_config.vocab_size);
  }
  const std::vector<text::Token> prompt = tokenizer->encode(config.prompt);

  vk::Context context(context_options(run));
  plan::TensorStore store(context);
  text::Generator generator(context, store, model.params);
  store.upload(model::tensor::kParams, std::as_bytes(std::span(model.arena)));

  nlohmann::ordered_json texts = nlohmann::ordered_json::array();
  for (std::int64_t sample = 0; sample < config.num_samples && !interrupted(); ++sample) {
    text::StreamDecoder decoder(*tokenizer);
    if (config.stream) print_now(config.prompt);
    const auto on_token = [&](text::Token token) {
      if (config.stream) print_now(decoder.push(token));
      return !interrupted();
    };
    const std::vector<text::Token> tokens =
        generator.generate(prompt, config, sampling, static_cast<std::uint32_t>(sample), on_token);
    context.instance().check_messages();
    const char* separator = sample + 1 < config.num_samples ? "\n----------\n" : "\n";
    if (run.json) {
      texts.push_back(config.prompt + tokenizer->decode(tokens));
    } else if (config.stream) {
      print_now(decoder.finish() + separator);
    } else {
      print_now(config.prompt + tokenizer->decode(tokens) + separator);
    }
  }
  if (run.json) {
    const nlohmann::ordered_json record = {
        {"model", directory.string()}, {"prompt", config.prompt}, {"texts", texts}};
    std::print("{}\n", record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  return static_cast<int>(interrupted() ? ExitCode::kInterrupted : ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
