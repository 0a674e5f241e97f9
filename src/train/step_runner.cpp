#include "vkgpt/train/step_runner.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/held_weights.hpp"
#include "vkgpt/ops/optimizer/loss_scale.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "train/dispatch_share.hpp"

namespace vkgpt::train {
namespace {

std::span<std::int32_t> resized(std::vector<std::int32_t>& values, std::size_t count) {
  values.resize(count);
  return values;
}

constexpr const char* kLossScale = "loss_scale";

/// 1 / (1 - beta^(step + 1)).
float bias_correction(double beta, std::int64_t step) {
  return static_cast<float>(1.0 / (1.0 - std::pow(beta, static_cast<double>(step) + 1)));
}

constexpr std::array kStepSegments = {model::segment::kFirstMicroStep, model::segment::kMicroStep,
                                      model::segment::kUpdate,         model::segment::kFirstMicroStepSend,
                                      model::segment::kMicroStepSend,  model::segment::kPack,
                                      model::segment::kFold,           model::segment::kNorm,
                                      model::segment::kDecide,         model::segment::kShardUpdate,
                                      model::segment::kSpread,         model::segment::kGradsOut,
                                      model::segment::kGradsIn};

/// Those of a step that a plan has.
std::vector<std::string> step_segments(const plan::Plan& plan) {
  std::vector<std::string> names;
  for (const plan::Segment& segment : plan.segments) {
    if (std::ranges::contains(kStepSegments, std::string_view(segment.name))) names.push_back(segment.name);
  }
  return names;
}

/// With the micro-steps of one worker, where workers train apart.
TrainConfig own_config(TrainConfig config, int ranks) {
  if (config.is_diloco()) config.grad_accum_steps /= ranks;
  return config;
}

/// Whether the arenas of `executor` hold what `schedule` needs.
bool has_arenas_of(const plan::Executor& executor, const plan::Schedule& schedule) {
  const std::vector<std::uint64_t>& there = executor.schedule().memory.arena_bytes;
  const std::vector<std::uint64_t>& wanted = schedule.memory.arena_bytes;
  return wanted.size() <= there.size() &&
         std::ranges::equal(wanted, std::span(there).first(wanted.size()), std::less_equal{});
}

TensorStats tensor_stats(std::string name, std::span<const float> row) {
  return {std::move(name), row[0], row[1], static_cast<std::uint64_t>(row[2]),
          static_cast<std::uint64_t>(row[3])};
}

}  // namespace

StepRunner::Stage::Stage(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
                         const TrainConfig& config, const DataLoader& whole, std::int64_t length,
                         double submit_budget_ns, const model::RankOptions& ranks)
    : T(length),
      loader(whole.with_length(length)),
      tapped(context, store, train_schedule(params, config, length, context.target(), true, ranks),
             submit_budget_ns),
      executor(context, store, train_schedule(params, config, length, context.target(), false, ranks),
               submit_budget_ns) {}

StepRunner::StepRunner(vk::Context& context, const model::GptConfig& model_config, const TrainConfig& config,
                       const DataLoader& loader, std::function<bool()> keep_going, double submit_budget_ns,
                       comm::Communicator* ranks)
    : context_(context),
      config_(own_config(config, ranks == nullptr ? 1 : ranks->size())),
      submit_budget_ns_(submit_budget_ns),
      keep_going_(std::move(keep_going)),
      params_(model_config, adaptation(config)),
      solo_(ranks == nullptr ? comm::make_solo() : nullptr),
      ranks_(ranks == nullptr ? *solo_ : *ranks),
      rank_options_(rank_options(config, ranks_.rank(), ranks_.size())),
      store_(context),
      curriculum_(curriculum_stages(config, model_config.block_size)),
      ring_(context.queue()),
      first_micro_step_(config.is_diloco() ? ranks_.rank() * config_.grad_accum_steps : 0),
      all_micro_steps_(config.grad_accum_steps) {
  if (const std::string notice = speed_notice(config_, context_.target()); !notice.empty()) {
    log_info("{}", notice);
  }
  for (const CurriculumStage& stage : curriculum_) {
    stages_.emplace_back(context_, store_, params_, config_, loader, stage.T, submit_budget_ns,
                         rank_options_);
  }
  if (config_.is_dpo() && config_.is_diloco()) fail_usage("--objective dpo: not with --sync diloco");
  const plan::Plan& own = stages_.back().executor.schedule().plan;
  if (rank_options_.size == 0) {
    state_.emplace(ranks_, store_, own, own);
  } else {
    const std::vector<double> shares = parse_shares(config_.balance, ranks_.size());
    rank_step_.emplace(ranks_, store_, context_.queue(),
                       model::exchange_layout(params_, optimizer_kind(config_), rank_options_),
                       plan_micro_steps(config_.grad_accum_steps, shares),
                       config_.sum_order == "step" ? SumOrder::kStep : SumOrder::kRank, config_.is_dpo());
    state_.emplace(ranks_, store_, own,
                   train_schedule(params_, config_, curriculum_.back().T, context_.target()).plan);
  }
  for (Stage& stage : stages_) stage.tapped.build_pipelines();
  if (activation_dtype(config_, context_.caps()) == DType::kF16) {
    const std::uint32_t words[4] = {std::bit_cast<std::uint32_t>(ops::LossScaling{}.initial)};
    store_.upload(kLossScale, std::as_bytes(std::span(words)));
  }
}

void StepRunner::record_ahead(bool with_stats) {
  plan::Executor& whole = stages_.back().executor;
  for (const plan::Segment& segment : whole.schedule().plan.segments) {
    const bool is_of_step = std::ranges::contains(kStepSegments, std::string_view(segment.name));
    if (!is_of_step && segment.name != model::segment::kGradStats) whole.record(segment.name);
  }
  if (!with_stats) return;
  for (Stage& stage : stages_) {
    for (const std::string& segment : step_segments(stage.tapped.schedule().plan)) {
      stage.tapped.reserve_eager(segment);
    }
    stage.tapped.reserve_eager(model::segment::kGradStats);
  }
}

/// With the times of the eager step. Arenas that would have to grow leave everything as it is: their memory
/// is in recordings of others.
void StepRunner::divide_long_dispatches() {
  const auto longest = std::ranges::max_element(eager_times_, {}, &plan::DispatchTime::nanoseconds);
  if (longest == eager_times_.end()) return;
  const auto schedule = [&](double share, bool tapped) {
    vk::Target target = context_.target();
    target.caps.dispatch_share = share;
    return train_schedule(params_, config_, stages_.back().T, target, tapped, rank_options_);
  };
  const double share = context_.caps().dispatch_share;
  const double fitting = share_within(eager_times_, submit_budget_ns_, share,
                                      [&](double wanted) { return schedule(wanted, false).plan; });
  if (fitting == share && longest->nanoseconds <= submit_budget_ns_) return;
  const bool divides = fitting != share && has_arenas_of(stages_.back().tapped, schedule(fitting, true));
  log_info("{} took {:.3g} ms, where submissions are to take {:.3g} ms at most: {}", longest->label,
           longest->nanoseconds / 1e6, submit_budget_ns_ / 1e6,
           divides ? "planned again with smaller dispatches" : "it cannot be divided further");
  if (!divides) return;
  context_.device().set_dispatch_share(fitting);
  const DataLoader loader = stages_.back().loader;
  stages_.clear();
  for (const CurriculumStage& stage : curriculum_) {
    stages_.emplace_back(context_, store_, params_, config_, loader, stage.T, submit_budget_ns_,
                         rank_options_);
  }
}

void StepRunner::record_steps() {
  divide_long_dispatches();
  for (Stage& stage : stages_) {
    for (const std::string& segment : step_segments(stage.executor.schedule().plan)) {
      stage.executor.record(segment);
    }
  }
  record_ahead(config_.stats_interval > 0);  // evaluation again, now that its kernels were timed
}

void StepRunner::set_base(const model::ParamSource& source) {
  model::HeldDigest digest;
  model::upload_held(store_, params_, source, *find_block_type(config_.base_dtype), &digest);
  base_sha256_ = digest.hex();
}

void StepRunner::set_parameters(std::span<const float> arena) {
  store_.upload(model::tensor::kParams, std::as_bytes(arena));
  if (config_.ema) {
    const auto trained = arena.first(static_cast<std::size_t>(params_.trainable_elements()));
    store_.upload(model::tensor::kEma, std::as_bytes(trained));
  }
  prepare();
}

void StepRunner::prepare() {
  if (activation_dtype(config_, context_.caps()) == DType::kF32) return;
  const int slot = ring_.acquire();
  ring_.submitted(stages_.back().executor.submit(model::segment::kPrepare, slot));
  context_.queue().wait_idle();
}

std::int64_t StepRunner::step_tokens(std::int64_t step) const {
  return stages_[stage_of(curriculum_, step)].loader.step_tokens(static_cast<std::uint64_t>(step),
                                                                 config_.batch_size);
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
  Stage& stage = stages_[stage_of(curriculum_, step)];
  if (rank_step_) {
    run_rank_step(stage, step, learning_rate, mode);
    return true;
  }
  for (std::int64_t micro_step = 0; micro_step < config_.grad_accum_steps; ++micro_step) {
    if (!keep_going_()) return false;
    const int slot = ring_.acquire();
    collect(slot);
    fill_slot(stage, slot, step, first_micro_step_ + micro_step, learning_rate);
    run_segment(stage, model::segment::micro_step(micro_step == 0), slot, mode);
    if (micro_step + 1 == config_.grad_accum_steps) {
      if (mode == Mode::kStats) run_segment(stage, model::segment::kGradStats, slot, mode);
      run_segment(stage, model::segment::kUpdate, slot, mode);
      if (mode == Mode::kStats) read_stats(slot, results(model::tensor::kStepResults, slot));
      pending_[slot] = step;
    }
    ring_.submitted(context_.queue().submitted());
  }
  if (mode != Mode::kReplay) drain();
  return true;
}

void StepRunner::run_segment(Stage& stage, const char* segment, int slot, Mode mode) {
  if (mode == Mode::kReplay) {
    stage.executor.submit(segment, slot);
    return;
  }
  plan::Executor& executor = mode == Mode::kStats ? stage.tapped : stage.executor;
  const std::vector<plan::DispatchTime> times = executor.run_eager(segment, slot);
  eager_times_.insert(eager_times_.end(), times.begin(), times.end());
}

BatchTarget StepRunner::batch_target(const Stage& stage, int slot) {
  const auto count = static_cast<std::size_t>(config_.batch_size * stage.T);
  const auto upload = [&](const char* tensor) {
    return store_.upload_slot<std::int32_t>(tensor, slot).first(count);
  };
  BatchTarget batch{upload(model::tensor::kTokens), upload(model::tensor::kTargets)};
  add_pairs(batch, slot);
  if (config_.pack != "documents" && !config_.is_dpo()) return batch;
  batch.positions = upload(model::tensor::kPositions);
  batch.ends = upload(model::tensor::kDocumentEnds);
  return batch;
}

void StepRunner::fill_slot(Stage& stage, int slot, std::int64_t step, std::int64_t micro_step,
                           double learning_rate) {
  fill_params(slot, step, micro_step, learning_rate);
  // In the process's own memory first: the slot's may be slow to read.
  BatchTarget batch = batch_target(stage, slot);
  const std::span<std::int32_t> slot_tokens =
      std::exchange(batch.tokens, resized(tokens_, batch.tokens.size()));
  const std::span<std::int32_t> slot_positions =
      std::exchange(batch.positions, resized(positions_, batch.positions.size()));
  stage.loader.fill_train(static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(micro_step), batch);
  std::ranges::copy(tokens_, slot_tokens.begin());
  std::ranges::copy(positions_, slot_positions.begin());
  const model::GptConfig& config = params_.config();
  const DType dtype = activation_dtype(config_, context_.caps());
  const auto upload = [&](const char* tensor, const std::vector<std::uint32_t>& order) {
    std::ranges::copy(order, store_.upload_slot<std::uint32_t>(tensor, slot).begin());
  };
  upload(model::tensor::kTokenOrder, model::order_tokens(config, dtype, context_.caps(), tokens_));
  if (!positions_.empty() && model::orders_positions(config)) {
    upload(model::tensor::kPositionOrder, model::order_positions(config, dtype, context_.caps(), positions_));
  }
}

void StepRunner::fill_params(int slot, std::int64_t step, std::int64_t micro_step, double learning_rate) {
  ops::StepParams params;
  params.step = static_cast<std::uint32_t>(step);
  params.micro_step = static_cast<std::uint32_t>(micro_step);
  params.seed_lo = static_cast<std::uint32_t>(config_.seed);
  params.seed_hi = static_cast<std::uint32_t>(config_.seed >> 32);
  params.learning_rate = static_cast<float>(learning_rate);
  params.bias_correction1 = bias_correction(config_.beta1, kept_steps_ + step);
  params.bias_correction2 = bias_correction(config_.beta2, kept_steps_ + step);
  params.dropout_step = static_cast<std::uint32_t>(step * all_micro_steps_ + micro_step);
  std::memcpy(store_.upload_slot<std::byte>(model::tensor::kStepParams, slot).data(), &params,
              sizeof(params));
}

model::StepResults StepRunner::results(const char* tensor, int slot) const {
  return model::step_results(store_.readback_slot<float>(tensor, slot));
}

void StepRunner::collect(int slot) {
  auto& pending = pending_[slot];
  if (!pending) return;
  outcomes_.push_back({*pending, results(model::tensor::kStepResults, slot),
                       preference(model::tensor::kPreferenceResults, slot)});
  pending.reset();
}

std::optional<StepOutcome> StepRunner::take_outcome() {
  if (outcomes_.empty()) return std::nullopt;
  const StepOutcome outcome = outcomes_.front();
  outcomes_.pop_front();
  return outcome;
}

void StepRunner::drain() {
  context_.queue().wait_idle();
  for (int i = 0; i < plan::kSlotCount; ++i) collect(ring_.acquire());
}

std::optional<double> StepRunner::evaluate(Split split, std::int64_t batches, Weights weights) {
  drain();
  if (ranks_.size() > 1 || rank_step_) return evaluate_share(split, batches, weights);
  const bool average = weights == Weights::kAverage;
  Stage& stage = stages_.back();
  const auto run = [&](const char* current, const char* averaged, int slot) {
    stage.executor.submit(average ? averaged : current, slot);
  };
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const bool last = batch + 1 == batches;
    const bool going = keep_going_();
    // An evaluation of the average ends as it should even when interrupted: it gives the weights back.
    if (!going && (!average || batch == 0)) return std::nullopt;
    const int slot = ring_.acquire();
    stage.loader.fill_eval(split, static_cast<std::uint32_t>(batch), batch_target(stage, slot));
    if (batch == 0) run(model::segment::kEvalBegin, model::segment::kEmaEvalBegin, slot);
    if (going) run(model::segment::kEvalStep, model::segment::kEmaEvalStep, slot);
    if (last || !going) run(model::segment::kEvalEnd, model::segment::kEmaEvalEnd, slot);
    ring_.submitted(context_.queue().submitted());
    if (!last && going) continue;
    context_.queue().wait_idle();
    if (!going) return std::nullopt;
    evaluated_ = preference(model::tensor::kEvalPreferenceResults, slot);
    return results(model::tensor::kEvalResults, slot).loss;
  }
  return std::nullopt;
}

void StepRunner::read_stats(int slot, const model::StepResults& results) {
  const double scale = double{results.loss_scale} / results.spread;
  constexpr std::size_t kColumns = 4;
  gradient_stats_.clear();
  activation_stats_.clear();
  const auto gradients = store_.readback_slot<float>(model::tensor::kGradStats, slot);
  for (std::size_t row = 0; const model::ParamSpec& spec : params_.specs()) {
    if (!spec.trainable) continue;
    TensorStats stats = tensor_stats(spec.name, gradients.subspan(kColumns * row++, kColumns));
    stats.norm /= scale;
    stats.max /= scale;
    gradient_stats_.push_back(std::move(stats));
  }
  for (const plan::Tap& tap : model::activation_taps(params_.config(), model::segment::kFirstMicroStep)) {
    const auto row = store_.readback_slot<float>(model::tap_tensor(tap.tensor), slot);
    activation_stats_.push_back(tensor_stats(tap.tensor, row));
  }
}

}  // namespace vkgpt::train
