#include <algorithm>
#include <cstddef>
#include <vector>

#include "vkgpt/train/trainer.hpp"

namespace vkgpt::train {

std::vector<text::Token> Trainer::sample_prompt() const {
  if (!config_.sample_prompt.empty() || !input_.corpus.has_replies()) {
    return input_.tokenizer.encode(config_.sample_prompt);
  }
  // A conversation up to its first reply, another one each time; held-out ones where there are any.
  const std::size_t split = loader_.has_validation() ? 1 : 0;
  const text::Documents& documents = input_.corpus.documents(split);
  const std::uint64_t number = state_.step / static_cast<std::uint64_t>(config_.sample_interval);
  const text::DocumentSpan& span = documents.spans[number % documents.spans.size()];
  std::size_t count = 1;
  while (count < span.tokens && !documents.counted[span.begin + count]) ++count;
  std::vector<text::Token> prompt(std::min(count, static_cast<std::size_t>(input_.model.block_size)));
  const text::TokenView tokens = split == 1 ? input_.corpus.validation() : input_.corpus.train();
  tokens.copy(span.begin + count - prompt.size(), prompt);
  return prompt;
}

void Trainer::sample() {
  runner_.drain();
  take_outcomes();
  text::GenerateConfig config;
  config.max_new_tokens = config_.sample_tokens;
  config.seed = config_.seed;
  const std::vector<text::Token> prompt = sample_prompt();
  generator_->forget();
  const bool is_reply = config_.sample_prompt.empty();
  const std::vector<text::Token> tokens = generator_->generate(
      prompt, config, text::SamplerConfig{}, 0,
      [&](text::Token token) { return !is_reply || !input_.tokenizer.ends_text(token); });
  reporter_->sample(state_.step, input_.tokenizer.decode(prompt) + input_.tokenizer.decode_more(tokens));
  pace_.restart(finished());
}

}  // namespace vkgpt::train
