#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/text/corpus/token_view.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/text/generate/stop_filter.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/evaluator.hpp"
#include "vkgpt/vkgpt.hpp"

#include "api/device.hpp"

namespace vkgpt {

struct Model::State {
  State(const std::filesystem::path& directory, const DeviceOptions& options)
      : loaded(model::load_model(directory)),
        tokenizer(text::load_tokenizer(directory)),
        context(api::context_options(options)),
        store(context) {}

  /// The generator is made when it is first asked for: evaluation needs none.
  text::Generator& generate() {
    if (!generator) {
      generator.emplace(context, store, loaded.params, tokenizer->vocab_size());
      store.upload(model::tensor::kParams, std::as_bytes(std::span(loaded.arena)));
    }
    return *generator;
  }

  model::LoadedModel loaded;
  std::unique_ptr<text::Tokenizer> tokenizer;
  vk::Context context;
  plan::TensorStore store;
  std::optional<text::Generator> generator;
};

Model::Model(const std::filesystem::path& directory, const DeviceOptions& options)
    : state_(std::make_unique<State>(train::find_model_directory(directory), options)) {
  const std::int64_t V = state_->loaded.params.config().vocab_size;
  if (state_->tokenizer->vocab_size() > V) {
    fail("{}: the tokenizer has {} tokens, the model only {}", directory.string(),
         state_->tokenizer->vocab_size(), V);
  }
}

Model::~Model() = default;
Model::Model(Model&& other) noexcept = default;
Model& Model::operator=(Model&& other) noexcept = default;

std::int64_t Model::parameter_count() const {
  return state_->loaded.params.parameter_count();
}

std::int64_t Model::context_length() const {
  return state_->loaded.params.config().block_size;
}

std::string Model::device_name() const {
  return state_->context.caps().name;
}

std::vector<Model::Token> Model::encode(std::string_view text) const {
  return state_->tokenizer->encode(text);
}

std::string Model::decode(std::span<const Token> tokens) const {
  for (const Token token : tokens) {
    if (token < 0 || token >= state_->tokenizer->vocab_size()) {
      fail_usage("token {} is outside of the vocabulary of {}", token, state_->tokenizer->vocab_size());
    }
  }
  return state_->tokenizer->decode(tokens);
}

namespace {

void check_options(const GenerateOptions& options) {
  constexpr std::uint32_t kMostSamples = 1 << 24;  // RngPosition counts them in 24 bits
  if (options.max_new_tokens < 1) fail_usage("max_new_tokens is {}: at least 1", options.max_new_tokens);
  if (!(options.temperature >= 0)) fail_usage("temperature is {}: at least 0", options.temperature);
  if (options.top_k < 0) fail_usage("top_k is {}: at least 0", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    fail_usage("top_p is {}: above 0 and at most 1", options.top_p);
  }
  if (options.sample >= kMostSamples) fail_usage("sample is {}: below {}", options.sample, kMostSamples);
}

}  // namespace

std::string Model::generate(std::string_view prompt, const GenerateOptions& options) {
  check_options(options);
  const std::vector<Token> tokens = state_->tokenizer->encode_prompt(prompt);
  if (tokens.empty()) fail_usage("the prompt is empty: give at least one character");
  text::GenerateConfig config;
  config.max_new_tokens = options.max_new_tokens;
  config.seed = options.seed;
  text::SamplerConfig sampling;
  sampling.temperature = options.temperature;
  sampling.top_k = options.top_k;
  sampling.top_p = options.top_p;
  text::StopFilter filter(*state_->tokenizer, {options.stop});
  std::string text;
  bool goes_on = true;
  const auto show = [&](const std::string& more) {
    text += more;
    goes_on = more.empty() || !options.on_text || options.on_text(more);
    return goes_on;
  };
  state_->generate().generate(tokens, config, sampling, options.sample,
                              [&](Token token) { return show(filter.push(token)) && !filter.stopped(); });
  if (goes_on) show(filter.finish());
  state_->context.instance().check_messages();
  return text;
}

Evaluation Model::evaluate(std::string_view text) {
  const std::vector<Token> tokens = state_->tokenizer->encode(text);
  if (tokens.size() < 2) fail("the text has {} tokens; at least two are needed", tokens.size());
  constexpr std::int64_t kMaxBatch = 8;
  const auto windows = static_cast<std::int64_t>(tokens.size() - 2) / context_length() + 1;
  train::Evaluator evaluator(state_->context, state_->loaded.params, std::min(kMaxBatch, windows),
                             state_->loaded.arena);
  const auto result = evaluator.evaluate(std::span<const Token>(tokens), [] { return true; });
  state_->context.instance().check_messages();
  return {.tokens = result->predicted, .loss = result->loss(), .perplexity = result->perplexity()};
}

}  // namespace vkgpt
