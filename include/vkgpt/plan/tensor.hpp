#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/core/shape.hpp"

namespace vkgpt::plan {

/// Copies of every upload and readback tensor: the host fills one while the device works on the other.
inline constexpr int kSlotCount = 2;

/// The kind of memory that a tensor has.
enum class Storage {
  kTransient,   // in the arena, alive from its first to its last use inside one segment
  kPersistent,  // a buffer of its own, shared by name between plans, kept until the program ends
  kUpload,      // host-visible, one copy per slot, written by the host before a submission
  kReadback,    // host-visible, one copy per slot, read by the host after a submission
  kHost,        // host memory that dispatches alone use, to spare the device's; like kPersistent, but its
                // contents are those of the segment that wrote it last
};

/// The purpose of a tensor, by which memory tables and dumps group.
enum class Role {
  kParameters,
  kGradients,
  kOptimizer,
  kActivations,
  kCache,
  kConstants,
  kInputs,
  kResults,
  kStatistics
};

std::string_view role_name(Role role);

/// Index of a tensor in its plan.
enum class TensorId : std::uint32_t {};

/// A virtual tensor as op code passes it around: its name, shape and type.
struct Tensor {
  TensorId id{};
  Shape shape;
  DType dtype = DType::kF32;

  std::uint64_t bytes() const { return static_cast<std::uint64_t>(shape.numel()) * dtype_size(dtype); }
};

struct TensorInfo {
  std::string name;
  Shape shape;
  DType dtype = DType::kF32;
  Storage storage = Storage::kTransient;
  Role role = Role::kActivations;
  // A view names a part of another tensor and has no memory of its own; otherwise root is the tensor itself.
  TensorId root{};
  std::uint64_t root_offset = 0;  // bytes
  // Of a persistent root tensor larger than one buffer may be: the bytes at which it is cut into several,
  // ascending. No dispatch binds across a cut.
  std::vector<std::uint64_t> cuts = {};

  std::uint64_t bytes() const { return static_cast<std::uint64_t>(shape.numel()) * dtype_size(dtype); }
};

}  // namespace vkgpt::plan
