#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/check/trial.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::cli {

/// What is tested together: an op, or one of its backends.
struct SelfTestGroup {
  std::string_view op;                      // "matmul", "norm", ...
  std::optional<vk::Backend> backend = {};  // of ops that have several

  /// "matmul khr", "norm": as in `vk::KernelRecord`.
  std::string name() const;
  /// Whether other kernels can take the place of these.
  bool is_replaceable() const { return backend && *backend != vk::Backend::kScalar; }
};

/// What became of one case.
struct SelfTestResult {
  SelfTestGroup group;
  std::string variant;       // "f16 nt 17x33x65 bias"
  double error = 0;          // of the output that is worst beside its bound: an NMSE, mostly
  double bound = 0;          // of it
  std::string failure = {};  // in words; empty = passed
};

/// The groups of `context`'s device, scalar kernels first.
std::vector<SelfTestGroup> selftest_groups(const vk::DeviceCaps& caps);

/// Runs the quick cases of a group (see check/op_table.hpp). Throws `Error` when interrupted. Cases for which
/// a backend has no kernel of its own are left out, and on CPU drivers two thirds of those of backends that
/// are made for GPUs.
std::vector<SelfTestResult> test_group(vk::Context& context, const SelfTestGroup& group,
                                       const check::Perturbation& perturb = {});

/// Stems of the kernels that `test_group` runs.
std::set<std::string> tested_kernels(vk::Context& context, const SelfTestGroup& group);

/// Switches the backend of `group` off in `record` if one of `results` failed, else on. What nothing can
/// replace is never switched off, but noted as failed or not.
void record_verdict(vk::KernelRecord& record, const SelfTestGroup& group,
                    std::span<const SelfTestResult> results, std::string_view date);

/// Changes the device's record as it is by then: others may write to it meanwhile.
using RecordUpdate = std::function<void(const std::function<void(vk::KernelRecord&)>&)>;

/// Runs the group and puts its verdict into the record: while it runs that it did not finish, since a driver
/// may hang or crash on a kernel. Nothing but that and wrong numbers switches a backend off: when the device
/// is lost, memory is missing or a signal arrives the record stays as it was.
std::vector<SelfTestResult> test_and_record(vk::Context& context, const SelfTestGroup& group,
                                            std::string_view date, const RecordUpdate& update);

/// Columns: op, variant, NMSE, bound, ok or what failed.
std::string selftest_line(const SelfTestResult& result);
nlohmann::ordered_json selftest_json(std::span<const SelfTestResult> results);

}  // namespace vkgpt::cli
