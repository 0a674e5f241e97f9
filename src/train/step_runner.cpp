#include "vkgpt/train/step_runner.hpp"

#include <cmath>
#include <cstring>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/step_params.hpp"

namespace vkgpt::train {
namespace {

model::TrainPlanOptions plan_options(const TrainConfig& config) {
  return {.batch_size = config.batch_size,
          .grad_accum_steps = config.grad_accum_steps,
          .beta1 = config.beta1,
          .beta2 = config.beta2,
          .adam_eps = config.adam_eps,
          .weight_decay = config.weight_decay,
          .grad_clip = config.grad_clip};
}

/// 1 / (1 - beta^(step + 1)).
float bias_correction(double beta, std::int64_t step) {
  return static_cast<float>(1.0 / (1.0 - std::pow(beta, static_cast<double>(step) + 1)));
}

TensorStats tensor_stats(std::string name, std::span<const float> row) {
  return {std::move(name), row[0], row[1], static_cast<std::uint64_t>(row[2]),
          static_cast<std::uint64_t>(row[3])};
}

}  // namespace

plan::Schedule train_schedule(const model::GptConfig& model_config, const TrainConfig& config,
                              const vk::DeviceCaps& caps, bool tapped) {
  plan::Plan plan = model::build_train_plan(model_config, plan_options(config), caps);
  if (tapped) plan = plan::add_taps(plan, caps, model::activation_taps(model_config));
  return plan::make_schedule(std::move(plan), caps);
}

StepRunner::StepRunner(vk::Context& context, const model::GptConfig& model_config, const TrainConfig& config,
                       const DataLoader& loader, std::function<bool()> keep_going, double submit_budget_ns)
    : context_(context),
      model_config_(model_config),
      config_(config),
      loader_(loader),
      keep_going_(std::move(keep_going)),
      params_(model_config),
      store_(context),
      tapped_(context, store_, train_schedule(model_config, config, context.caps(), true), submit_budget_ns),
      executor_(context, store_, train_schedule(model_config, config, context.caps(), false),
                submit_budget_ns),
      ring_(context.queue()) {
  tapped_.build_pipelines();
}

bool StepRunner::submit(std::int64_t step, double learning_rate) {
  return run_step(step, learning_rate, Mode::kReplay);
}

bool StepRunner::run_eager(std::int64_t step, double learning_rate) {
  return run_step(step, learning_rate, Mode::kEager);
}

bool StepRunner::run_with_stats(std::int64_t step, double learning_rate) {
  return run_step(step, learning_rate, Mode::kStats);
}

bool StepRunner::run_step(std::int64_t step, double learning_rate, Mode mode) {
  if (mode != Mode::kReplay) {
    drain();
    eager_times_.clear();
  }
  for (std::int64_t micro_step = 0; micro_step < config_.grad_accum_steps; ++micro_step) {
    if (!keep_going_()) return false;
    const int slot = ring_.acquire();
    collect(slot);
    fill_params(slot, step, micro_step, learning_rate);
    loader_.fill_train(static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(micro_step),
                       store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot),
                       store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot));
    if (micro_step == 0) run_segment(model::segment::kZeroGrads, slot, mode);
    run_segment(model::segment::kMicroStep, slot, mode);
    if (micro_step + 1 == config_.grad_accum_steps) {
      if (mode == Mode::kStats) {
        run_segment(model::segment::kGradStats, slot, mode);
        read_stats(slot);
      }
      run_segment(model::segment::kUpdate, slot, mode);
      pending_[static_cast<std::size_t>(slot)] = step;
    }
    ring_.submitted(context_.queue().submitted());
  }
  if (mode != Mode::kReplay) drain();
  return true;
}

void StepRunner::run_segment(const char* segment, int slot, Mode mode) {
  if (mode == Mode::kReplay) {
    executor_.submit(segment, slot);
    return;
  }
  plan::Executor& executor = mode == Mode::kStats ? tapped_ : executor_;
  const std::vector<plan::DispatchTime> times = executor.run_eager(segment, slot);
  eager_times_.insert(eager_times_.end(), times.begin(), times.end());
}

void StepRunner::fill_params(int slot, std::int64_t step, std::int64_t micro_step, double learning_rate) {
  ops::StepParams params;
  params.step = static_cast<std::uint32_t>(step);
  params.micro_step = static_cast<std::uint32_t>(micro_step);
  params.seed_lo = static_cast<std::uint32_t>(config_.seed);
  params.seed_hi = static_cast<std::uint32_t>(config_.seed >> 32);
  params.learning_rate = static_cast<float>(learning_rate);
  params.bias_correction1 = bias_correction(config_.beta1, step);
  params.bias_correction2 = bias_correction(config_.beta2, step);
  std::memcpy(store_.upload_slot<std::byte>(model::tensor::kStepParams, slot).data(), &params,
              sizeof(params));
}

void StepRunner::collect(int slot) {
  auto& pending = pending_[static_cast<std::size_t>(slot)];
  if (!pending) return;
  const auto values = store_.readback_slot<float>(model::tensor::kStepResults, slot);
  outcomes_.push_back({*pending, {values[0], values[1], values[2], values[3]}});
  pending.reset();
}

std::optional<StepOutcome> StepRunner::take_outcome() {
  if (outcomes_.empty()) return std::nullopt;
  const StepOutcome outcome = outcomes_.front();
  outcomes_.pop_front();
  return outcome;
}

void StepRunner::drain() {
  for (int i = 0; i < plan::kSlotCount; ++i) collect(ring_.acquire());
}

std::optional<double> StepRunner::evaluate(Split split, std::int64_t batches) {
  drain();
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    if (!keep_going_()) return std::nullopt;
    const int slot = ring_.acquire();
    loader_.fill_eval(split, static_cast<std::uint32_t>(batch),
                      store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot),
                      store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot));
    if (batch == 0) executor_.submit(model::segment::kEvalBegin, slot);
    executor_.submit(model::segment::kEvalStep, slot);
    if (batch + 1 == batches) executor_.submit(model::segment::kEvalEnd, slot);
    ring_.submitted(context_.queue().submitted());
    if (batch + 1 == batches) {
      context_.queue().wait_idle();
      return store_.readback_slot<float>(model::tensor::kEvalResults, slot)[0];
    }
  }
  return std::nullopt;
}

void StepRunner::read_stats(int slot) {
  constexpr std::size_t kColumns = 4;
  gradient_stats_.clear();
  activation_stats_.clear();
  const auto gradients = store_.readback_slot<float>(model::tensor::kGradStats, slot);
  for (std::size_t i = 0; i < params_.specs().size(); ++i) {
    gradient_stats_.push_back(
        tensor_stats(params_.specs()[i].name, gradients.subspan(i * kColumns, kColumns)));
  }
  for (const plan::Tap& tap : model::activation_taps(model_config_)) {
    const auto row = store_.readback_slot<float>(model::tap_tensor(tap.tensor), slot);
    activation_stats_.push_back(tensor_stats(tap.tensor, row));
  }
}

}  // namespace vkgpt::train
