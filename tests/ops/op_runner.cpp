#include "ops/op_runner.hpp"

#include <algorithm>
#include <bit>
#include <format>
#include <utility>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/schedule.hpp"

#include "gpu_context.hpp"

namespace vkgpt::test {
namespace {

constexpr std::uint32_t kGuardWord = 0x7fc5e471;  // a NaN
constexpr std::uint32_t kUnwritten = 0x7fc0dead;  // another
constexpr std::size_t kGuardWords = 256;          // on each side, a multiple of any binding alignment

template <typename T>
std::vector<std::uint32_t> to_words(std::span<const T> values) {
  std::vector<std::uint32_t> words(values.size());
  std::ranges::transform(values, words.begin(), [](T value) { return std::bit_cast<std::uint32_t>(value); });
  return words;
}

}  // namespace

std::vector<CapsVariant> caps_variants(std::uint64_t sliced_bytes) {
  const vk::DeviceCaps& native = shared_context().caps();
  std::vector<CapsVariant> variants{{"native", native}, {"as a GPU", native}, {"sliced", native}};
  variants[1].caps.type = vk::DeviceType::kDiscrete;
  variants[2].caps.max_storage_buffer_range = sliced_bytes;
  return variants;
}

std::vector<CapsVariant> caps_variants_folded(std::uint64_t sliced_bytes) {
  std::vector<CapsVariant> variants = caps_variants(sliced_bytes);
  variants.push_back({"folded", shared_context().caps()});
  variants.back().caps.max_workgroup_count[0] = 3;
  return variants;
}

OpRunner::OpRunner() : OpRunner(shared_context().caps()) {}

OpRunner::OpRunner(const vk::DeviceCaps& caps) : builder_(caps) {
  builder_->begin_segment("op");
}

plan::Tensor OpRunner::input(Shape shape, std::span<const float> values) {
  return declare(std::move(shape), DType::kF32, to_words(values));
}

plan::Tensor OpRunner::input(Shape shape, std::span<const std::int32_t> values) {
  return declare(std::move(shape), DType::kI32, to_words(values));
}

plan::Tensor OpRunner::input(Shape shape, std::span<const std::uint32_t> values) {
  return declare(std::move(shape), DType::kU32, to_words(values));
}

plan::Tensor OpRunner::output(Shape shape, DType dtype) {
  std::vector<std::uint32_t> unwritten(static_cast<std::size_t>(shape.numel()), kUnwritten);
  return declare(std::move(shape), dtype, std::move(unwritten));
}

plan::Tensor OpRunner::declare(Shape shape, DType dtype, std::vector<std::uint32_t> initial) {
  VKGPT_CHECK(initial.size() == static_cast<std::size_t>(shape.numel()), "{} values for {}", initial.size(),
              shape.to_string());
  const auto all = static_cast<std::int64_t>(initial.size() + 2 * kGuardWords);
  std::string name = std::format("t{}", tensors_.size());
  const plan::Tensor root = builder_->persistent(name, {all}, plan::Role::kActivations, dtype);
  const plan::Tensor t = builder_->view(root, kGuardWords, std::move(shape));
  tensors_.emplace(t.id, Guarded{std::move(name), std::move(initial)});
  return t;
}

const OpRunner::Guarded& OpRunner::guarded(const plan::Tensor& t) const {
  const auto found = tensors_.find(t.id);
  VKGPT_CHECK(found != tensors_.end(), "a tensor of another runner");
  return found->second;
}

void OpRunner::upload(const Guarded& tensor, std::span<const std::uint32_t> words) {
  VKGPT_CHECK(words.size() == tensor.initial.size(), "{} words for {}", words.size(), tensor.initial.size());
  std::vector<std::uint32_t> all(words.size() + 2 * kGuardWords, kGuardWord);
  std::ranges::copy(words, all.begin() + kGuardWords);
  store_->upload(tensor.name, std::as_bytes(std::span(all)));
}

std::vector<std::uint32_t> OpRunner::download_all(const Guarded& tensor) const {
  std::vector<std::uint32_t> all(tensor.initial.size() + 2 * kGuardWords);
  store_->download(tensor.name, std::as_writable_bytes(std::span(all)));
  return all;
}

void OpRunner::prepare() {
  if (executor_ != nullptr) return;
  vk::Context& context = shared_context();
  plan::Plan plan = std::move(*builder_).finish();
  uses_step_params_ = std::ranges::any_of(
      plan.tensors, [](const plan::TensorInfo& info) { return info.name == "step_params"; });
  store_ = std::make_unique<plan::TensorStore>(context);
  executor_ = std::make_unique<plan::Executor>(context, *store_,
                                               plan::make_schedule(std::move(plan), context.caps()));
  for (const auto& [id, tensor] : tensors_) upload(tensor, tensor.initial);
  store_->poison_arenas();
}

void OpRunner::set(const plan::Tensor& t, std::span<const float> values) {
  prepare();
  upload(guarded(t), to_words(values));
}

void OpRunner::run(const ops::StepParams& step) {
  prepare();
  if (uses_step_params_) store_->upload_slot<ops::StepParams>("step_params", 0)[0] = step;
  shared_context().queue().wait(executor_->submit("op", 0));
  check_guards();
}

std::vector<plan::DispatchTime> OpRunner::time() {
  prepare();
  return executor_->run_eager("op", 0);
}

void OpRunner::check_guards() const {
  for (const auto& [id, tensor] : tensors_) {
    const std::vector<std::uint32_t> all = download_all(tensor);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool is_guard = i < kGuardWords || i >= all.size() - kGuardWords;
      if (!is_guard || all[i] == kGuardWord) continue;
      ADD_FAILURE() << tensor.name << ": element " << static_cast<std::int64_t>(i) - std::int64_t{kGuardWords}
                    << " of " << tensor.initial.size() << " was written";
      break;
    }
  }
}

std::vector<std::uint32_t> OpRunner::words(const plan::Tensor& t) const {
  const std::vector<std::uint32_t> all = download_all(guarded(t));
  return {all.begin() + kGuardWords, all.end() - kGuardWords};
}

std::vector<float> OpRunner::floats(const plan::Tensor& t) const {
  const std::vector<std::uint32_t> bits = words(t);
  std::vector<float> values(bits.size());
  std::ranges::transform(bits, values.begin(), [](std::uint32_t w) { return std::bit_cast<float>(w); });
  return values;
}

std::vector<float> OpRunner::readback(std::string_view name) const {
  const std::span<const float> values = store_->readback_slot<float>(name, 0);
  return {values.begin(), values.end()};
}

}  // namespace vkgpt::test
