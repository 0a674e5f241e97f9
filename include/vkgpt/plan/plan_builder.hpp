#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/plan/byte_ranges.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::plan {

/// Collects tensors and dispatches into a `Plan`. Op functions take it first and only append to it; every
/// mistake is a `CheckFailure` here, sizes beyond the device are `TooLarge`, never during replay.
class PlanBuilder {
 public:
  explicit PlanBuilder(vk::Target target);
  explicit PlanBuilder(vk::DeviceCaps caps) : PlanBuilder(vk::Target{std::move(caps)}) {}
  /// Starts with the tensors of `plan` and no dispatches: for rewriting a plan.
  PlanBuilder(vk::DeviceCaps caps, const Plan& plan);

  const vk::DeviceCaps& caps() const { return target_.caps; }
  const vk::Target& target() const { return target_; }

  /// Tensors that outlive a segment. A persistent tensor declared twice under one name must agree in shape,
  /// type and role, and is the same tensor.
  Tensor persistent(std::string_view name, Shape shape, Role role, DType dtype = DType::kF32);
  /// Cuts a persistent root tensor before these elements (see `TensorInfo::cuts`); before anything is
  /// dispatched.
  void cut(const Tensor& t, std::span<const std::int64_t> elements);
  /// The elements of `t` before which its root is cut.
  std::vector<std::int64_t> cuts_of(const Tensor& t) const;
  Tensor upload(std::string_view name, Shape shape, DType dtype = DType::kF32);
  Tensor readback(std::string_view name, Shape shape, DType dtype = DType::kF32);
  /// A tensor of `Storage::kHost`, shared by name like persistent ones.
  Tensor host(std::string_view name, Shape shape, DType dtype = DType::kF32);
  /// A persistent tensor whose contents are known while building: a table, a mask. The store uploads it once.
  /// Declared twice under one name, it must have the same contents.
  Tensor constant(std::string_view name, Shape shape, DType dtype, std::vector<std::uint32_t> words);
  /// The constant of that name where there is one: contents that take long need not be made again.
  std::optional<Tensor> find_constant(std::string_view name) const;
  /// A tensor in the arena. Its name is put below the current scope and need not be unique.
  Tensor transient(std::string_view name, Shape shape, DType dtype = DType::kF32);
  /// A part of `base` that starts `first_element` elements in, under a shape of its own.
  Tensor view(const Tensor& base, std::int64_t first_element, Shape shape, std::string_view name = {});

  /// Dispatches that follow belong to segment `name`, which must be new.
  void begin_segment(std::string_view name);

  /// Nothing in the current segment needs what `t` holds so far: ops that sum into it may store instead (see
  /// `ops::adds_to`).
  void discard(const Tensor& t);
  /// The parts of `t`, flat, that no dispatch has written since they were discarded.
  std::vector<Tensor> discarded(const Tensor& t);

  /// Appends a dispatch to the current segment. Views resolve to their roots. Checks bindings (count, ranges,
  /// `max_storage_buffer_range`, offset alignment, 16-bit storage), push constants (<= 128 bytes) and group
  /// counts, that no two bindings overlap unless both only read, and that it reads nothing discarded.
  void dispatch(Dispatch dispatch);
  /// Appends a dispatch of another plan as it is: roots resolved, labelled.
  void append(Dispatch dispatch);

  /// Names what follows until the scope ends: "h3/attn".
  class Scope {
   public:
    Scope(PlanBuilder& builder, std::string_view name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PlanBuilder& builder_;
    std::size_t length_;
  };
  [[nodiscard]] Scope scope(std::string_view name) { return Scope(*this, name); }

  /// The finished plan. Checks that no transient tensor is used in two segments or read before it is written.
  Plan finish() &&;

 private:
  Tensor add(std::string name, Shape shape, DType dtype, Storage storage, Role role);

  vk::Target target_;
  Plan plan_;
  std::map<std::string, TensorId, std::less<>> by_name_;  // all but transient tensors
  std::map<TensorId, ByteRanges> discarded_;              // of the current segment, by root
  std::string scope_;
};

}  // namespace vkgpt::plan
