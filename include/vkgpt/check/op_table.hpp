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
// `vkgpt selftest` runs the quick ones on the device as it is, `vkgpt bench` times those that say at what
// sizes. src/check/ops.inc has a line for each op.

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

/// A matrix product C (M, N) with K products a value: "nt" is a linear layer's forward, "nn" the gradient of
/// its input, "tn" that of its weight.
struct GemmShape {
  std::string form;
  std::int64_t m = 0, n = 0, k = 0;

  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};

struct AttentionSize {
  std::int64_t B = 0, T = 0, n_head = 0, n_kv_head = 0, HS = 0, window = 0;
};

/// The sizes at which ops are timed: those of a model's step.
struct Workload {
  std::int64_t rows = 8192, C = 768;  // tokens and their width
  std::int64_t parameters = 1 << 24;  // of the optimizers' arenas
  GemmShape gemm = {"nt", 768, 768, 768};
  AttentionSize attention = {4, 256, 12, 12, 64, 0};
};

struct Case {
  std::string variant;        // "f16 layernorm 67x101"; unique in its op
  DType dtype = DType::kF32;  // a 16-bit type needs a device that stores it
  bool quick = false;         // one of `vkgpt selftest`
  std::vector<Device> devices = {Device{}};
  std::function<void(Trial&)> build;  // declares tensors, calls the op, says what is expected
  /// The same at a real size, pass by pass, for `vkgpt bench`; few cases have it.
  std::function<void(Trial&, const Workload&)> timed = {};
  bool has_own_kernel = false;  // none of a quick case; GPU-assisted validation chooses of both
};

/// An elementwise op in each float type, over sizes from one element to several workgroups: `build` for n
/// elements. The largest is quick, and is timed in f32.
std::vector<Case> elementwise_cases(const std::string& name,
                                    const std::function<void(Trial&, DType dtype, std::int64_t n)>& build);

/// An op on rows of C in each float type: `build` for sizes with tails of rows and of columns.
std::vector<Case> rowwise_cases(
    const std::string& name,
    const std::function<void(Trial&, DType dtype, std::int64_t rows, std::int64_t C)>& build);

struct OpTable {
  std::string_view op;
  std::vector<Case> cases;
};

/// Appends cases to others.
void append(std::vector<Case>& cases, std::vector<Case> more);

/// Every op, in the order of the manifest.
std::span<const OpTable> op_tables();

inline constexpr DType kFloatTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

}  // namespace vkgpt::check
