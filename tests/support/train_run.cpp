#include "support/train_run.hpp"

#include <gtest/gtest.h>

#include "check/compare.hpp"
#include "gpu_context.hpp"

namespace vkgpt::test {

model::GptConfig small_model() {
  model::GptConfig config;
  config.vocab_size = 29;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_embd = 32;
  config.block_size = 17;
  return config;
}

train::TrainConfig small_training() {
  train::TrainConfig config;
  config.batch_size = 3;
  config.learning_rate = 3e-3;
  return config;
}

TrainRun::TrainRun(const model::GptConfig& model, const train::TrainConfig& config,
                   std::function<bool()> keep_going, double submit_budget_ns)
    : learning_rate_(config.learning_rate),
      tokens_(check::random_tokens(400, 7, static_cast<std::int32_t>(model.vocab_size))),
      loader_(std::span<const std::int32_t>(tokens_), std::span<const std::int32_t>(tokens_),
              model.block_size, 1337),
      runner_(shared_context(), model, config, loader_, std::move(keep_going), submit_budget_ns) {
  const std::vector<float> arena = model::initial_parameters(runner_.params(), 1);
  if (runner_.has_base()) runner_.set_base(model::ArenaSource(runner_.params(), arena));
  runner_.set_parameters(std::span(arena).first(static_cast<std::size_t>(runner_.arena_elements())));
  runner_.store().poison_arenas();
}

bool TrainRun::step(std::int64_t index, How how) {
  switch (how) {
    case How::kReplay:
      return runner_.submit(index, learning_rate_);
    case How::kEager:
      return runner_.run_eager(index, learning_rate_);
    case How::kStats:
      return runner_.run_with_stats(index, learning_rate_);
    case How::kReRecord:
      for (const plan::Segment& segment : runner_.executor().schedule().plan.segments) {
        runner_.executor().record(segment.name);
      }
      return runner_.submit(index, learning_rate_);
  }
  return false;
}

void TrainRun::steps(std::int64_t first, std::int64_t last, How how) {
  for (std::int64_t index = first; index < last; ++index) EXPECT_TRUE(step(index, how));
}

RunOutcome TrainRun::finish() {
  runner_.drain();
  RunOutcome outcome;
  while (const auto step = runner_.take_outcome()) {
    outcome.losses.push_back(step->results.loss);
    outcome.norms.push_back(step->results.grad_norm);
    outcome.skipped.push_back(step->results.skipped);
  }
  outcome.params = download(model::tensor::kParams, runner_.arena_elements());
  return outcome;
}

std::vector<float> TrainRun::download(const char* arena, std::int64_t elements) {
  std::vector<float> values(static_cast<std::size_t>(elements));
  runner_.store().download(arena, std::as_writable_bytes(std::span(values)));
  return values;
}

RunOutcome run_steps(const model::GptConfig& model, const train::TrainConfig& config, How how,
                     std::int64_t steps) {
  TrainRun run(model, config);
  run.steps(0, steps, how);
  return run.finish();
}

}  // namespace vkgpt::test
