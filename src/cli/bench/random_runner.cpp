#include "cli/bench/random_runner.hpp"

#include <span>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/rng.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::cli {
namespace {

std::vector<std::int32_t> random_tokens(const model::GptConfig& model, std::uint64_t seed) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(64 * model.block_size));
  RngReader random({.seed = seed, .purpose = RngPurpose::kTrainData});
  for (std::int32_t& token : tokens) {
    token = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(model.vocab_size)));
  }
  return tokens;
}

}  // namespace

RandomRunner::RandomRunner(vk::Context& context, const model::GptConfig& model,
                           const train::TrainConfig& config)
    : tokens_(random_tokens(model, config.seed)),
      loader_(std::span<const std::int32_t>(tokens_), std::span<const std::int32_t>(tokens_),
              model.block_size, config.seed),
      runner_(context, model, config, loader_, [] {
        if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
        return true;
      }) {
  runner_.set_parameters(model::initial_parameters(runner_.params(), config.seed));
}

}  // namespace vkgpt::cli
