#include "vkgpt/check/guarded_run.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <set>
#include <utility>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/plan/schedule.hpp"

namespace vkgpt::check {
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

/// f32 as it is; 16-bit elements in pairs.
std::vector<std::uint32_t> to_words(std::span<const float> values, DType dtype) {
  if (dtype_size(dtype) != 2) return to_words(values);
  std::vector<std::uint32_t> words((values.size() + 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    words[i / 2] |= std::uint32_t{to_16_bits(values[i], dtype)} << (i % 2 * 16);
  }
  return words;
}

}  // namespace

GuardedRun::GuardedRun(vk::Context& context, const vk::Target& target, bool guards_ends)
    : context_(context), guards_ends_(guards_ends), builder_(target) {
  builder_->begin_segment("op");
}

plan::Tensor GuardedRun::input(Shape shape, std::span<const float> values, DType dtype) {
  VKGPT_CHECK(values.size() == static_cast<std::size_t>(shape.numel()), "{} values for {}", values.size(),
              shape.to_string());
  return declare(std::move(shape), dtype, to_words(values, dtype));
}

plan::Tensor GuardedRun::input(Shape shape, std::span<const std::int32_t> values) {
  return declare(std::move(shape), DType::kI32, to_words(values));
}

plan::Tensor GuardedRun::input(Shape shape, std::span<const std::uint32_t> values) {
  return declare(std::move(shape), DType::kU32, to_words(values));
}

plan::Tensor GuardedRun::repeated(Shape shape, std::span<const float> values, DType dtype) {
  VKGPT_CHECK(values.size() % 2 == 0 || dtype_size(dtype) != 2, "{} values", values.size());
  return declare(std::move(shape), dtype, to_words(values, dtype));
}

plan::Tensor GuardedRun::output(Shape shape, DType dtype) {
  // Both halves of a 16-bit tensor's words are NaN, in f16 and in bf16.
  return declare(std::move(shape), dtype, {dtype_size(dtype) == 2 ? 0x7fc57fdeU : kUnwritten});
}

std::size_t GuardedRun::Guarded::words() const {
  const std::size_t per_word = sizeof(std::uint32_t) / dtype_size(dtype);
  return (elements + per_word - 1) / per_word;
}

std::size_t GuardedRun::guards_behind() const {
  return guards_ends_ ? kGuardWords : 0;
}

plan::Tensor GuardedRun::declare(Shape shape, DType dtype, std::vector<std::uint32_t> initial) {
  std::string name = vkgpt::format("t{}", tensors_.size());
  Guarded tensor{name, dtype, static_cast<std::size_t>(shape.numel()), std::move(initial)};
  const auto per_word = static_cast<std::int64_t>(sizeof(std::uint32_t) / dtype_size(dtype));
  const auto all = static_cast<std::int64_t>(kGuardWords + tensor.words() + guards_behind()) * per_word;
  const plan::Tensor root = builder_->persistent(name, {all}, plan::Role::kActivations, dtype);
  const plan::Tensor t = builder_->view(root, std::int64_t{kGuardWords} * per_word, std::move(shape));
  tensors_.emplace(t.id, std::move(tensor));
  return t;
}

const GuardedRun::Guarded& GuardedRun::guarded(const plan::Tensor& t) const {
  const auto found = tensors_.find(t.id);
  VKGPT_CHECK(found != tensors_.end(), "a tensor of another runner");
  return found->second;
}

void GuardedRun::upload(const Guarded& tensor, std::span<const std::uint32_t> words) {
  std::vector<std::uint32_t> all(kGuardWords + tensor.words() + guards_behind(), kGuardWord);
  const std::span inside = std::span(all).subspan(kGuardWords, tensor.words());
  for (std::size_t i = 0; i < inside.size(); i += words.size()) {
    std::ranges::copy(words.first(std::min(words.size(), inside.size() - i)), inside.begin() + i);
  }
  if (tensor.ends_in_half_a_word()) {
    inside.back() = (inside.back() & 0xffffU) | (kGuardWord & 0xffff0000U);
  }
  store_->upload(tensor.name, std::as_bytes(std::span(all)));
}

std::vector<std::uint32_t> GuardedRun::download_all(const Guarded& tensor) const {
  std::vector<std::uint32_t> all(kGuardWords + tensor.words() + guards_behind());
  store_->download(tensor.name, std::as_writable_bytes(std::span(all)));
  return all;
}

const plan::Plan& GuardedRun::plan() {
  if (!plan_) {
    plan_ = std::move(*builder_).finish();
    std::erase_if(plan_->segments, [](const plan::Segment& segment) { return segment.dispatches.empty(); });
    bind_guards(*plan_);
  }
  return *plan_;
}

void GuardedRun::bind_guards(plan::Plan& plan) const {
  std::set<plan::TensorId> roots;
  for (const auto& [id, tensor] : tensors_) roots.insert(plan.tensor(id).root);
  for (plan::Segment& segment : plan.segments) {
    for (plan::Dispatch& dispatch : segment.dispatches) {
      for (plan::Binding& binding : dispatch.bindings) {
        if (!roots.contains(binding.tensor)) continue;
        const std::uint64_t behind = plan.tensor(binding.tensor).bytes() - binding.offset;
        binding.size = std::min(behind, binding.size + guards_behind() * sizeof(std::uint32_t));
      }
    }
  }
}

void GuardedRun::prepare() {
  if (executor_ != nullptr) return;
  uses_step_params_ = std::ranges::any_of(
      plan().tensors, [](const plan::TensorInfo& info) { return info.name == "step_params"; });
  store_ = std::make_unique<plan::TensorStore>(context_);
  executor_ =
      std::make_unique<plan::Executor>(context_, *store_, plan::make_schedule(plan(), context_.caps()));
  for (const auto& [id, tensor] : tensors_) upload(tensor, tensor.initial);
  store_->poison_arenas();
}

void GuardedRun::set(const plan::Tensor& t, std::span<const float> values) {
  prepare();
  const Guarded& tensor = guarded(t);
  VKGPT_CHECK(values.size() == tensor.elements, "{} values for {}", values.size(), t.shape.to_string());
  upload(tensor, to_words(values, t.dtype));
}

void GuardedRun::reset() {
  prepare();
  std::set<std::string_view> names;
  for (const auto& [id, tensor] : tensors_) {
    upload(tensor, tensor.initial);
    names.insert(tensor.name);
  }
  for (std::size_t i = 0; i < plan().tensors.size(); ++i) {
    const plan::TensorInfo& info = plan().tensors[i];
    const bool is_state = info.storage == plan::Storage::kPersistent && info.root == plan::TensorId(i) &&
                          !plan().constants.contains(info.root) && !names.contains(info.name);
    if (is_state) store_->fill_zero(info.name);
  }
}

void GuardedRun::set_params(const ops::StepParams& step) {
  if (!uses_step_params_) return;
  for (int slot = 0; slot < plan::kSlotCount; ++slot) {
    store_->upload_slot<ops::StepParams>("step_params", slot)[0] = step;
  }
}

std::string GuardedRun::run(const ops::StepParams& step) {
  prepare();
  set_params(step);
  std::uint64_t end = 0;
  for (const plan::Segment& segment : plan().segments) end = executor_->submit(segment.name, 0);
  context_.queue().wait(end);
  return violated_guards();
}

plan::Executor& GuardedRun::executor(int repeats, const ops::StepParams& step) {
  VKGPT_CHECK(executor_ == nullptr, "a run is repeated before it is prepared");
  plan();
  for (plan::Segment& segment : plan_->segments) {
    const std::vector<plan::Dispatch> once = segment.dispatches;
    for (int i = 1; i < repeats; ++i) std::ranges::copy(once, std::back_inserter(segment.dispatches));
  }
  prepare();
  set_params(step);
  return *executor_;
}

std::string GuardedRun::violated_guards() const {
  std::string text;
  for (const auto& [id, tensor] : tensors_) {
    const std::vector<std::uint32_t> all = download_all(tensor);
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::uint32_t guard = i < kGuardWords || i >= kGuardWords + tensor.words() ? 0xffffffffU : 0;
      const bool is_last = i == kGuardWords + tensor.words() - 1;
      if (is_last && tensor.ends_in_half_a_word()) guard = 0xffff0000U;
      if ((all[i] & guard) == (kGuardWord & guard)) continue;
      text += vkgpt::format("{}{}: word {} of {} was written", text.empty() ? "" : "; ", tensor.name,
                            static_cast<std::int64_t>(i) - std::int64_t{kGuardWords}, tensor.words());
      break;
    }
  }
  return text;
}

std::vector<std::uint32_t> GuardedRun::words(const plan::Tensor& t) const {
  const Guarded& tensor = guarded(t);
  const std::vector<std::uint32_t> all = download_all(tensor);
  const std::span inside = std::span(all).subspan(kGuardWords, tensor.words());
  return {inside.begin(), inside.end()};
}

std::vector<float> GuardedRun::floats(const plan::Tensor& t) const {
  const std::vector<std::uint32_t> bits = words(t);
  const Guarded& tensor = guarded(t);
  std::vector<float> values(tensor.elements);
  const bool is_16bit = dtype_size(tensor.dtype) == 2;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = is_16bit ? from_16_bits(static_cast<std::uint16_t>(bits[i / 2] >> (i % 2 * 16)), tensor.dtype)
                         : std::bit_cast<float>(bits[i]);
  }
  return values;
}

std::vector<std::uint32_t> GuardedRun::persistent_words(std::string_view name, std::size_t count) const {
  std::vector<std::uint32_t> words(count);
  store_->download(name, std::as_writable_bytes(std::span(words)));
  return words;
}

std::vector<float> GuardedRun::readback(std::string_view name) const {
  const std::span<const float> values = store_->readback_slot<float>(name, 0);
  return {values.begin(), values.end()};
}

}  // namespace vkgpt::check
