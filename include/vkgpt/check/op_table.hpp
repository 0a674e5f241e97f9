#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/check/trial.hpp"

// The cases of every op. GoogleTest runs all of them on every stand-in device ("GpuCheck.<op>/<variant>");
// `vkgpt selftest` runs the quick ones on the device as it is. src/check/ops.inc has a line for each op.

namespace vkgpt::check {

/// A stand-in for the device at hand, so that every path of an op runs on it.
struct Device {
  std::string name = "native";
  std::optional<vk::Backend> backend = {};           // of the op, where it has several
  std::map<std::string, std::string> measured = {};  // kernels by the key of their product
  bool is_gpu = false;                               // workgroups of several subgroups
  std::uint32_t vendor_id = 0;                       // 0 = its own
  std::uint64_t max_binding_bytes = 0;               // 0 = its own
  std::uint32_t max_groups = 0;                      // of a dispatch, in x; 0 = its own
  bool has_int64 = true;
  bool has_subgroup_size_control = true;
};

/// `own` as `device` has it, for kernels of `op`.
vk::Target target_of(vk::Target own, std::string_view op, const Device& device);

/// The device as it is; the same taken for a GPU; and one that binds no more than `sliced_bytes` at once.
std::vector<Device> sliced_devices(std::uint64_t sliced_bytes);
/// The same and, for ops whose grids all fold, a device that dispatches only 3 workgroups in x.
std::vector<Device> folded_devices(std::uint64_t sliced_bytes);

struct Case {
  std::string variant;        // "f16 layernorm 67x101"; unique in its op
  DType dtype = DType::kF32;  // a 16-bit type needs a device that stores it
  bool quick = false;         // one of `vkgpt selftest`
  std::vector<Device> devices = {Device{}};
  std::function<void(Trial&)> build;  // declares tensors, calls the op, says what is expected
};

struct OpTable {
  std::string_view op;
  std::vector<Case> cases;
};

/// Every op, in the order of the manifest.
std::span<const OpTable> op_tables();

inline constexpr DType kFloatTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

}  // namespace vkgpt::check
