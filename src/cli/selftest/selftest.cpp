#include "cli/selftest/selftest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <exception>
#include <format>
#include <iterator>

#include <nlohmann/json.hpp>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/vk/result.hpp"

#include "cli/selftest/selftest_cases.hpp"
#include "reference/numbers.hpp"

namespace vkgpt::cli {
namespace {

using vk::Backend;

struct Suite {
  std::string_view op;
  void (*add_cases)(CaseList&);
};

constexpr std::array kSuites = {
    Suite{"embedding", embedding_cases},   Suite{"norm", norm_cases},
    Suite{"qk_norm", qk_norm_cases},       Suite{"rope", rope_cases},
    Suite{"activation", activation_cases}, Suite{"elementwise", elementwise_cases},
    Suite{"dropout", dropout_cases},       Suite{"cross_entropy", cross_entropy_cases},
    Suite{"gradients", gradient_cases},    Suite{"optimizer", optimizer_cases},
    Suite{"matmul", matmul_cases},         Suite{"attention", attention_cases},
};

bool has_backends(std::string_view op) {
  return std::ranges::contains(ops::kOpsWithBackends, op);
}

CaseList cases_of(vk::Context& context, const SelfTestGroup& group) {
  // Whatever was chosen: ops inside of others are scalar.
  vk::KernelChoices kernels{.matmul = Backend::kScalar, .attention = Backend::kScalar};
  if (group.op == "matmul") kernels.matmul = group.backend;
  if (group.op == "attention") kernels.attention = group.backend;
  CaseList list(context, {context.caps(), kernels});
  const auto suite = std::ranges::find(kSuites, group.op, &Suite::op);
  VKGPT_CHECK(suite != kSuites.end(), "no cases of {}", group.op);
  suite->add_cases(list);
  return list;
}

std::vector<vk::PipelineKey> pipelines_of(OpCase& c) {
  std::vector<vk::PipelineKey> keys;
  for (const plan::Segment& segment : c.plan().segments) {
    for (const plan::Dispatch& dispatch : segment.dispatches) keys.push_back(plan::pipeline_key(dispatch));
  }
  return keys;
}

/// The cases of the group without those that the scalar kernels do in place of its backend.
CaseList own_cases(vk::Context& context, const SelfTestGroup& group) {
  CaseList list = cases_of(context, group);
  if (!group.backend || group.backend == Backend::kScalar) return list;
  CaseList scalar = cases_of(context, {group.op, Backend::kScalar});
  VKGPT_CHECK(scalar.cases().size() == list.cases().size(), "{}", group.name());
  std::deque<OpCase> own;
  for (std::size_t i = 0; i < list.cases().size(); ++i) {
    OpCase& c = list.cases()[i];
    if (pipelines_of(c) != pipelines_of(scalar.cases()[i])) own.push_back(std::move(c));
  }
  // CPU drivers take seconds to build each of these kernels, which are not for them, most of all those of
  // large heads, which attention has first.
  const bool is_cpu = context.caps().is_cpu();
  list.cases().clear();
  for (std::size_t i = is_cpu && own.size() > 1 ? 1 : 0; i < own.size(); i += is_cpu ? 3 : 1) {
    list.cases().push_back(std::move(own[i]));
  }
  return list;
}

std::vector<std::vector<std::uint32_t>> outputs_of(const OpCase& c) {
  std::vector<std::vector<std::uint32_t>> words;
  for (const Expectation& e : c.expected) words.push_back(c.words(e.tensor));
  return words;
}

/// Compares every output of a case that has run; the worst beside its bound is the result's.
void compare(const OpCase& c, const Perturbation& perturb, SelfTestResult& result) {
  double worst = -1;
  for (const Expectation& e : c.expected) {
    std::vector<float> actual = c.floats(e.tensor);
    if (perturb) perturb(result.group, actual);
    const bool is_finite =
        std::ranges::all_of(actual, [](float value) { return reference::is_finite(value); });
    const double error = is_finite ? reference::nmse(actual, e.values) : INFINITY;
    const bool is_good = is_finite && error <= e.bound;
    const double share = e.bound > 0 ? error / e.bound : is_good ? 0 : INFINITY;
    if (share > worst) {
      worst = share;
      result.nmse = error;
      result.bound = e.bound;
    }
    if (is_good || !result.failure.empty()) continue;
    result.failure =
        is_finite ? std::format("NMSE {:.2g} exceeds {:.2g}", error, e.bound) : "a result is not finite";
  }
}

SelfTestResult run_case(OpCase& c, const SelfTestGroup& group, const Perturbation& perturb) {
  SelfTestResult result{.group = group, .variant = c.variant};
  try {
    std::string written = c.run(c.step);
    compare(c, perturb, result);
    const auto first = outputs_of(c);
    c.reset();
    written += c.run(c.step);
    if (result.failure.empty() && !written.empty()) result.failure = "wrote outside of its tensors";
    if (result.failure.empty() && outputs_of(c) != first) result.failure = "a second run gave other bits";
  } catch (const vk::DeviceLost&) {
    throw;
  } catch (const Error& error) {
    result.failure = error.what();
  }
  return result;
}

}  // namespace

double rounding_bound(DType dtype) {
  if (dtype == DType::kF32) return reference::kFp32Nmse;
  return dtype == DType::kF16 ? 0x1.1p-22 : 0x1.1p-16;
}

std::vector<DType> CaseList::dtypes() const {
  if (!target_.caps.storage_16bit) return {DType::kF32};
  return {DType::kF32, DType::kF16, DType::kBF16};
}

std::string SelfTestGroup::name() const {
  return backend ? std::format("{} {}", op, vk::backend_name(*backend)) : std::string(op);
}

std::vector<SelfTestGroup> selftest_groups(const vk::DeviceCaps& caps) {
  std::vector<SelfTestGroup> groups;
  for (const Suite& suite : kSuites) {
    groups.push_back({suite.op, has_backends(suite.op) ? std::optional(Backend::kScalar) : std::nullopt});
  }
  for (const std::string_view op : ops::kOpsWithBackends) {
    for (const Backend backend : vk::kBackends) {
      const bool is_usable = std::ranges::any_of(
          std::array{DType::kF32, DType::kF16, DType::kBF16},
          [&](DType dtype) { return std::ranges::contains(ops::usable_backends(caps, dtype), backend); });
      if (is_usable && backend != Backend::kScalar) groups.push_back({op, backend});
    }
  }
  return groups;
}

std::vector<SelfTestResult> test_group(vk::Context& context, const SelfTestGroup& group,
                                       const Perturbation& perturb) {
  CaseList list = own_cases(context, group);
  std::vector<SelfTestResult> results;
  std::vector<vk::PipelineKey> keys;
  for (OpCase& c : list.cases()) std::ranges::copy(pipelines_of(c), std::back_inserter(keys));
  try {
    context.pipelines().prepare(keys);
  } catch (const vk::DeviceLost&) {
    throw;
  } catch (const Error&) {
    // The cases that need the pipeline will say so.
  }
  while (!list.cases().empty()) {
    results.push_back(run_case(list.cases().front(), group, perturb));
    list.cases().pop_front();  // its memory
  }
  return results;
}

std::set<std::string> tested_kernels(vk::Context& context, const SelfTestGroup& group) {
  std::set<std::string> stems;
  CaseList list = own_cases(context, group);
  for (OpCase& c : list.cases()) {
    for (const vk::PipelineKey& key : pipelines_of(c)) stems.insert(key.stem);
  }
  return stems;
}

void record_verdict(vk::KernelRecord& record, const SelfTestGroup& group,
                    std::span<const SelfTestResult> results, std::string_view date) {
  if (!group.backend || group.backend == Backend::kScalar) return;
  const auto failed =
      std::ranges::find_if(results, [](const SelfTestResult& r) { return !r.failure.empty(); });
  record.disabled.erase(group.name());
  if (failed == results.end()) return;
  record.disabled[group.name()] = {std::format("{}: {}", failed->variant, failed->failure),
                                   std::string(date)};
}

std::string selftest_line(const SelfTestResult& result) {
  return std::format("{:<17} {:<44} {:>8.1e} {:>8.1e}  {}", result.group.name(), result.variant, result.nmse,
                     result.bound, result.failure.empty() ? "ok" : result.failure);
}

nlohmann::ordered_json selftest_json(std::span<const SelfTestResult> results) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const SelfTestResult& result : results) {
    nlohmann::ordered_json record = {{"op", result.group.op}, {"backend", nullptr}};
    if (result.group.backend) record["backend"] = vk::backend_name(*result.group.backend);
    record["variant"] = result.variant;
    record["nmse"] = result.nmse;
    record["bound"] = result.bound;
    record["ok"] = result.failure.empty();
    if (!result.failure.empty()) record["failure"] = result.failure;
    list.push_back(std::move(record));
  }
  return list;
}

}  // namespace vkgpt::cli
