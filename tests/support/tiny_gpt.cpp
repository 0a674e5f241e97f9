#include "support/tiny_gpt.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vkgpt/ops/step_params.hpp"
#include "vkgpt/plan/schedule.hpp"

#include "gpu_context.hpp"

namespace vkgpt::test {
namespace {

/// As tests/golden/README.md says.
model::TrainPlanOptions golden_options(const std::map<std::string, golden::Tensor>& golden,
                                       const std::function<void(model::TrainPlanOptions&)>& change) {
  model::TrainPlanOptions options{
      .batch_size = golden.at("tokens").shape.at(0), .beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.1};
  change(options);
  return options;
}

}  // namespace

TinyGpt::TinyGpt(const std::string& golden_name)
    : TinyGpt(golden_name, [](model::TrainPlanOptions&) {}, 1e-3F) {}

TinyGpt::TinyGpt(const std::string& golden_name, const std::function<void(model::TrainPlanOptions&)>& change,
                 float learning_rate)
    : TinyGpt(golden_name, change, learning_rate, shared_context().target()) {}

TinyGpt::TinyGpt(const std::string& golden_name, const std::function<void(model::TrainPlanOptions&)>& change,
                 float learning_rate, const vk::Target& target)
    : golden_(golden::load(golden_name)),
      config_(golden::load_config(golden_name)),
      options_(golden_options(golden_, change)),
      caps_(target.caps),
      learning_rate_(learning_rate),
      params_(config_),
      store_(shared_context()),
      executor_(shared_context(), store_,
                plan::make_schedule(model::build_train_plan(params_, options_, target), target.caps)),
      ring_(shared_context().queue()) {
  std::vector<float> arena(static_cast<std::size_t>(params_.arena_elements()));
  for (const model::ParamSpec& spec : params_.specs()) {
    std::ranges::copy(golden_.at("param/" + spec.name).values, arena.begin() + spec.offset);
  }
  upload(model::tensor::kParams, arena);
  store_.poison_arenas();
}

std::vector<float> TinyGpt::download(const char* arena) {
  std::vector<float> values(static_cast<std::size_t>(params_.arena_elements()));
  store_.download(arena, std::as_writable_bytes(std::span(values)));
  return values;
}

void TinyGpt::upload(const char* arena, std::span<const float> values) {
  store_.upload(arena, std::as_bytes(values));
}

std::vector<float> TinyGpt::part(std::span<const float> arena, const std::string& name) const {
  const model::ParamSpec& spec = params_.find(name);
  const auto begin = arena.begin() + spec.offset;
  return {begin, begin + spec.unpadded_shape.numel()};
}

int TinyGpt::fill_slot(std::int64_t step) {
  const int slot = ring_.acquire();
  ops::StepParams params;
  params.step = static_cast<std::uint32_t>(step);
  params.learning_rate = learning_rate_;
  params.bias_correction1 =
      static_cast<float>(1 / (1 - std::pow(options_.beta1, static_cast<double>(step + 1))));
  params.bias_correction2 =
      static_cast<float>(1 / (1 - std::pow(options_.beta2, static_cast<double>(step + 1))));
  std::memcpy(store_.upload_slot<std::byte>(model::tensor::kStepParams, slot).data(), &params,
              sizeof(params));
  std::ranges::copy(golden_.at("tokens").ints(),
                    store_.upload_slot<std::int32_t>(model::tensor::kTokens, slot).begin());
  std::ranges::copy(
      model::order_tokens(config_, options_.activation_dtype, caps_, golden_.at("tokens").ints()),
      store_.upload_slot<std::uint32_t>(model::tensor::kTokenOrder, slot).begin());
  std::ranges::copy(golden_.at("targets").ints(),
                    store_.upload_slot<std::int32_t>(model::tensor::kTargets, slot).begin());
  return slot;
}

model::StepResults TinyGpt::step(std::int64_t index, bool update) {
  const int slot = fill_slot(index);
  executor_.submit(model::segment::kFirstMicroStep, slot);
  if (update) executor_.submit(model::segment::kUpdate, slot);
  ring_.submitted(shared_context().queue().submitted());
  shared_context().queue().wait_idle();
  return model::step_results(store_.readback_slot<float>(model::tensor::kStepResults, slot));
}

float TinyGpt::loss() {
  const int slot = fill_slot(0);
  executor_.submit(model::segment::kEvalBegin, slot);
  executor_.submit(model::segment::kEvalStep, slot);
  executor_.submit(model::segment::kEvalEnd, slot);
  ring_.submitted(shared_context().queue().submitted());
  shared_context().queue().wait_idle();
  return model::step_results(store_.readback_slot<float>(model::tensor::kEvalResults, slot)).loss;
}

}  // namespace vkgpt::test
