#include "vkgpt/plan/plan_builder.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::plan {
namespace {

bool ranges_overlap(const Binding& a, const Binding& b) {
  return a.tensor == b.tensor && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

/// Checks a binding of the dispatch `label` and moves it to its root.
void resolve(Binding& binding, const Plan& plan, const vk::DeviceCaps& caps, const std::string& label) {
  const TensorInfo& info = plan.tensor(binding.tensor);
  VKGPT_CHECK(binding.size > 0 && binding.offset + binding.size <= info.bytes(),
              "{} binds bytes {}+{} of {}, which has {}", label, binding.offset, binding.size, info.name,
              info.bytes());
  check_fits(binding.size <= caps.max_storage_buffer_range,
             "{} needs {} bytes of {} at once, the device allows {}", label, binding.size, info.name,
             caps.max_storage_buffer_range);
  VKGPT_CHECK(caps.storage_16bit || dtype_size(info.dtype) != 2,
              "{} binds {} of {}, the device has no 16-bit storage", label, info.name,
              dtype_name(info.dtype));
  binding.offset += info.root_offset;
  binding.tensor = info.root;
  std::uint64_t buffer_begin = 0;
  for (const std::uint64_t cut : plan.tensor(info.root).cuts) {
    VKGPT_CHECK(cut <= binding.offset || cut >= binding.offset + binding.size,
                "{} binds {} across the cut at byte {}", label, info.name, cut);
    if (cut <= binding.offset) buffer_begin = cut;
  }
  VKGPT_CHECK((binding.offset - buffer_begin) % caps.storage_buffer_alignment == 0,
              "{} binds {} at byte {}, which is not a multiple of {}", label, info.name, binding.offset,
              caps.storage_buffer_alignment);
  VKGPT_CHECK(info.storage != Storage::kUpload || !binding.writes(), "{} writes the upload tensor {}", label,
              info.name);
}

}  // namespace

PlanBuilder::PlanBuilder(vk::Target target) : target_(std::move(target)) {}

PlanBuilder::PlanBuilder(vk::DeviceCaps caps, const Plan& plan) : PlanBuilder(std::move(caps)) {
  plan_.tensors = plan.tensors;
  plan_.constants = plan.constants;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorInfo& info = plan.tensors[i];
    const bool is_view = info.root != TensorId(i);
    if (!is_view && info.storage != Storage::kTransient) by_name_.emplace(info.name, TensorId(i));
  }
}

Tensor PlanBuilder::add(std::string name, Shape shape, DType dtype, Storage storage, Role role) {
  VKGPT_CHECK(shape.numel() > 0, "tensor {} is empty", name);
  if (storage != Storage::kTransient) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) {
      const TensorInfo& old = plan_.tensor(found->second);
      VKGPT_CHECK(old.shape == shape && old.dtype == dtype && old.role == role && old.storage == storage,
                  "tensor {} is declared twice, as {} and {}", name, old.shape.to_string(),
                  shape.to_string());
      return {found->second, shape, dtype};
    }
  }
  const TensorId id{static_cast<std::uint32_t>(plan_.tensors.size())};
  if (storage != Storage::kTransient) by_name_.emplace(name, id);
  plan_.tensors.push_back({std::move(name), shape, dtype, storage, role, id, 0});
  return {id, std::move(shape), dtype};
}

Tensor PlanBuilder::persistent(std::string_view name, Shape shape, Role role, DType dtype) {
  return add(std::string(name), std::move(shape), dtype, Storage::kPersistent, role);
}

void PlanBuilder::cut(const Tensor& t, std::span<const std::int64_t> elements) {
  TensorInfo& info = plan_.tensors[static_cast<std::size_t>(t.id)];
  VKGPT_CHECK(info.root == t.id && info.storage == Storage::kPersistent, "{} cannot be cut", info.name);
  info.cuts.clear();
  for (const std::int64_t element : elements) {
    const std::uint64_t at = static_cast<std::uint64_t>(element) * dtype_size(info.dtype);
    VKGPT_CHECK(at > (info.cuts.empty() ? 0 : info.cuts.back()) && at < info.bytes(), "{} is cut at {}",
                info.name, element);
    info.cuts.push_back(at);
  }
}

std::vector<std::int64_t> PlanBuilder::cuts_of(const Tensor& t) const {
  const TensorInfo& info = plan_.tensor(t.id);
  std::vector<std::int64_t> elements;
  for (const std::uint64_t cut : plan_.tensor(info.root).cuts) {
    if (cut <= info.root_offset || cut >= info.root_offset + info.bytes()) continue;
    elements.push_back(static_cast<std::int64_t>((cut - info.root_offset) / dtype_size(info.dtype)));
  }
  return elements;
}

Tensor PlanBuilder::upload(std::string_view name, Shape shape, DType dtype) {
  return add(std::string(name), std::move(shape), dtype, Storage::kUpload, Role::kInputs);
}

Tensor PlanBuilder::readback(std::string_view name, Shape shape, DType dtype) {
  return add(std::string(name), std::move(shape), dtype, Storage::kReadback, Role::kResults);
}

Tensor PlanBuilder::host(std::string_view name, Shape shape, DType dtype) {
  return add(std::string(name), std::move(shape), dtype, Storage::kHost, Role::kActivations);
}

std::optional<Tensor> PlanBuilder::find_constant(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end() || !plan_.constants.contains(found->second)) return {};
  const TensorInfo& info = plan_.tensor(found->second);
  return Tensor{found->second, info.shape, info.dtype};
}

Tensor PlanBuilder::constant(std::string_view name, Shape shape, DType dtype,
                             std::vector<std::uint32_t> words) {
  const Tensor tensor = persistent(name, std::move(shape), Role::kConstants, dtype);
  VKGPT_CHECK(words.size() * sizeof(std::uint32_t) == tensor.bytes(), "{} words for constant {} {}",
              words.size(), name, tensor.shape.to_string());
  const auto found = plan_.constants.find(tensor.id);
  VKGPT_CHECK(found == plan_.constants.end() || found->second == words,
              "constant {} is declared twice with different contents", name);
  if (found == plan_.constants.end()) plan_.constants.emplace(tensor.id, std::move(words));
  return tensor;
}

Tensor PlanBuilder::transient(std::string_view name, Shape shape, DType dtype) {
  std::string full = scope_.empty() ? std::string(name) : scope_ + "/" + std::string(name);
  return add(std::move(full), std::move(shape), dtype, Storage::kTransient, Role::kActivations);
}

Tensor PlanBuilder::view(const Tensor& base, std::int64_t first_element, Shape shape, std::string_view name) {
  const TensorInfo& info = plan_.tensor(base.id);
  VKGPT_CHECK(first_element >= 0 && first_element + shape.numel() <= base.shape.numel(),
              "view {} at element {} of {} {}", shape.to_string(), first_element, info.name,
              base.shape.to_string());
  TensorInfo view = info;
  if (!name.empty()) view.name = name;
  view.cuts.clear();
  view.shape = shape;
  view.root_offset += static_cast<std::uint64_t>(first_element) * dtype_size(base.dtype);
  plan_.tensors.push_back(std::move(view));
  return {TensorId(plan_.tensors.size() - 1), std::move(shape), base.dtype};
}

void PlanBuilder::begin_segment(std::string_view name) {
  const bool taken = std::ranges::any_of(plan_.segments, [&](const Segment& s) { return s.name == name; });
  VKGPT_CHECK(!taken, "segment {} is begun twice", name);
  plan_.segments.push_back({std::string(name), {}});
  discarded_.clear();
}

void PlanBuilder::discard(const Tensor& t) {
  const TensorInfo& info = plan_.tensor(t.id);
  discarded_[info.root].add(info.root_offset, info.root_offset + t.bytes());
}

std::vector<Tensor> PlanBuilder::discarded(const Tensor& t) {
  const TensorInfo& info = plan_.tensor(t.id);
  const std::uint64_t begin = info.root_offset;
  const std::int64_t size = dtype_size(t.dtype);
  std::vector<Tensor> parts;
  for (const auto& [first, end] : discarded_[info.root].within(begin, begin + t.bytes())) {
    parts.push_back(view(t, static_cast<std::int64_t>(first - begin) / size,
                         {static_cast<std::int64_t>(end - first) / size}));
  }
  return parts;
}

void PlanBuilder::dispatch(Dispatch dispatch) {
  VKGPT_CHECK(!plan_.segments.empty(), "dispatch {} outside a segment", dispatch.kernel.stem);
  dispatch.label = scope_.empty() ? dispatch.kernel.stem : scope_ + "/" + dispatch.kernel.stem;
  const std::string& label = dispatch.label;

  std::int64_t bound_bytes = 0;
  for (Binding& binding : dispatch.bindings) {
    resolve(binding, plan_, caps(), label);
    bound_bytes += static_cast<std::int64_t>(binding.size) * (binding.access == Access::kReadWrite ? 2 : 1);
    const auto discarded = discarded_.find(binding.tensor);
    if (discarded == discarded_.end()) continue;
    const std::uint64_t end = binding.offset + binding.size;
    VKGPT_CHECK(!binding.reads() || discarded->second.within(binding.offset, end).empty(),
                "{} reads bytes {}+{} of {}, which are discarded", label, binding.offset, binding.size,
                plan_.tensor(binding.tensor).name);
    discarded->second.remove(binding.offset, end);
  }
  for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
    for (std::size_t j = i + 1; j < dispatch.bindings.size(); ++j) {
      const Binding& a = dispatch.bindings[i];
      const Binding& b = dispatch.bindings[j];
      VKGPT_CHECK(!ranges_overlap(a, b) || (!a.writes() && !b.writes()),
                  "bindings {} and {} of {} overlap in {} and one writes", i, j, label,
                  plan_.tensor(a.tensor).name);
    }
  }
  VKGPT_CHECK(dispatch.push_bytes() <= caps().max_push_constant_bytes, "{} pushes {} bytes", label,
              dispatch.push_bytes());
  for (const std::uint32_t binding : dispatch.addresses) {
    // Barriers order reads by address as those of the binding; nothing would order writes of other
    // dispatches.
    VKGPT_CHECK(caps().buffer_device_address && dispatch.push.size() % 2 == 0 &&
                    dispatch.bindings.at(binding).access == Access::kRead,
                "{} reads binding {} by address", label, binding);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    VKGPT_CHECK(dispatch.groups[i] > 0, "{} dispatches nothing in dimension {}", label, i);
    check_fits(dispatch.groups[i] <= caps().max_workgroup_count[i],
               "{} needs {} workgroups in dimension {}, the device allows {}", label, dispatch.groups[i], i,
               caps().max_workgroup_count[i]);
  }
  if (dispatch.cost.bytes == 0) dispatch.cost.bytes = bound_bytes;
  plan_.segments.back().dispatches.push_back(std::move(dispatch));
}

void PlanBuilder::append(Dispatch dispatch) {
  VKGPT_CHECK(!plan_.segments.empty(), "dispatch {} outside a segment", dispatch.label);
  plan_.segments.back().dispatches.push_back(std::move(dispatch));
}

PlanBuilder::Scope::Scope(PlanBuilder& builder, std::string_view name)
    : builder_(builder), length_(builder.scope_.size()) {
  if (!builder_.scope_.empty()) builder_.scope_ += '/';
  builder_.scope_ += name;
}

PlanBuilder::Scope::~Scope() {
  builder_.scope_.resize(length_);
}

Plan PlanBuilder::finish() && {
  constexpr std::size_t kNone = SIZE_MAX;
  std::vector<std::size_t> segment_of(plan_.tensors.size(), kNone);
  for (std::size_t s = 0; s < plan_.segments.size(); ++s) {
    for (const Dispatch& dispatch : plan_.segments[s].dispatches) {
      for (const Binding& binding : dispatch.bindings) {
        const auto id = static_cast<std::size_t>(binding.tensor);
        const TensorInfo& info = plan_.tensors[id];
        if (info.storage != Storage::kTransient) continue;
        VKGPT_CHECK(segment_of[id] == kNone || segment_of[id] == s,
                    "transient {} is used in segments {} and {}", info.name,
                    plan_.segments[segment_of[id]].name, plan_.segments[s].name);
        VKGPT_CHECK(segment_of[id] == s || !binding.reads(), "{} reads {} before anything wrote it",
                    dispatch.label, info.name);
        segment_of[id] = s;
      }
    }
  }
  return std::move(plan_);
}

}  // namespace vkgpt::plan
