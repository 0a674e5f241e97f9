#include "cli/selftest/selftest.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>

#include <nlohmann/json.hpp>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::cli {
namespace {

using vk::Backend;

/// A case of an op's table on its way.
struct OpTrial {
  OpTrial(vk::Context& context, const vk::Target& target, const check::Case& c)
      : variant(c.variant), trial(context, target) {
    c.build(trial);
  }

  std::string_view variant;
  check::Trial trial;
};

/// The quick cases of an op whose elements the device stores.
std::deque<OpTrial> trials_of(vk::Context& context, const SelfTestGroup& group) {
  vk::Target target{context.caps()};
  // Whatever was chosen: ops inside of others are scalar.
  for (const std::string_view op : ops::kOpsWithBackends) {
    target = check::target_of(target, op, {.backend = op == group.op ? group.backend : Backend::kScalar});
  }
  const auto table = std::ranges::find(check::op_tables(), group.op, &check::OpTable::op);
  VKGPT_CHECK(table != check::op_tables().end(), "no cases of {}", group.op);
  std::deque<OpTrial> trials;
  for (const check::Case& c : table->cases) {
    const bool is_stored = dtype_size(c.dtype) != 2 || target.caps.storage_16bit;
    if (c.quick && is_stored) trials.emplace_back(context, target, c);
  }
  return trials;
}

std::vector<vk::PipelineKey> pipelines_of(OpTrial& t) {
  std::vector<vk::PipelineKey> keys;
  for (const plan::Segment& segment : t.trial.plan().segments) {
    for (const plan::Dispatch& dispatch : segment.dispatches) keys.push_back(plan::pipeline_key(dispatch));
  }
  return keys;
}

/// The trials of the group without those that the scalar kernels do in place of its backend.
std::deque<OpTrial> own_trials(vk::Context& context, const SelfTestGroup& group) {
  std::deque<OpTrial> trials = trials_of(context, group);
  if (!group.backend || group.backend == Backend::kScalar) return trials;
  std::deque<OpTrial> scalar = trials_of(context, {group.op, Backend::kScalar});
  VKGPT_CHECK(scalar.size() == trials.size(), "{}", group.name());
  std::deque<OpTrial> own;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (pipelines_of(trials[i]) != pipelines_of(scalar[i])) own.push_back(std::move(trials[i]));
  }
  if (!context.caps().is_cpu()) return own;
  // CPU drivers take seconds to build each of these kernels, which are not for them, most of all those of
  // large heads, which attention has first.
  std::deque<OpTrial> some;
  for (std::size_t i = own.size() > 1 ? 1 : 0; i < own.size(); i += 3) some.push_back(std::move(own[i]));
  return some;
}

}  // namespace

std::string SelfTestGroup::name() const {
  return backend ? vkgpt::format("{} {}", op, vk::backend_name(*backend)) : std::string(op);
}

std::vector<SelfTestGroup> selftest_groups(const vk::DeviceCaps& caps) {
  std::vector<SelfTestGroup> groups;
  for (const check::OpTable& table : check::op_tables()) {
    const bool has_backends = std::ranges::contains(ops::kOpsWithBackends, table.op);
    groups.push_back({table.op, has_backends ? std::optional(Backend::kScalar) : std::nullopt});
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
                                       const check::Perturbation& perturb) {
  std::deque<OpTrial> trials = own_trials(context, group);
  std::vector<SelfTestResult> results;
  std::vector<vk::PipelineKey> keys;
  for (OpTrial& t : trials) std::ranges::copy(pipelines_of(t), std::back_inserter(keys));
  try {
    // By parts, between which a signal is seen: drivers take seconds for some.
    constexpr std::size_t kPart = 32;
    for (std::size_t i = 0; i < keys.size() && !interrupted(); i += kPart) {
      context.pipelines().prepare(std::span(keys).subspan(i, std::min(kPart, keys.size() - i)));
    }
  } catch (const vk::DeviceLost&) {
    throw;
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the cases that need the pipeline will say so
  }
  for (; !trials.empty(); trials.pop_front()) {  // with its memory
    if (interrupted()) throw Error("the self-test was interrupted", ExitCode::kInterrupted);
    const check::Outcome outcome = check::run_trial(trials.front().trial, perturb);
    results.push_back({.group = group,
                       .variant = std::string(trials.front().variant),
                       .error = outcome.error,
                       .bound = outcome.bound,
                       .failure = outcome.failure});
  }
  return results;
}

std::set<std::string> tested_kernels(vk::Context& context, const SelfTestGroup& group) {
  std::set<std::string> stems;
  std::deque<OpTrial> trials = own_trials(context, group);
  for (OpTrial& t : trials) {
    for (const vk::PipelineKey& key : pipelines_of(t)) stems.insert(key.stem);
  }
  return stems;
}

void record_verdict(vk::KernelRecord& record, const SelfTestGroup& group,
                    std::span<const SelfTestResult> results, std::string_view date) {
  auto& failures = group.is_replaceable() ? record.disabled : record.failed;
  const auto failed =
      std::ranges::find_if(results, [](const SelfTestResult& r) { return !r.failure.empty(); });
  failures.erase(group.name());
  if (failed == results.end()) return;
  failures[group.name()] = {vkgpt::format("{}: {}", failed->variant, failed->failure), std::string(date)};
}

std::vector<SelfTestResult> test_and_record(vk::Context& context, const SelfTestGroup& group,
                                            std::string_view date, const RecordUpdate& update) {
  std::optional<vk::KernelRecord::Failure> before;
  const bool may_be_off = group.is_replaceable();
  if (may_be_off) {
    update([&](vk::KernelRecord& record) {
      if (const auto found = record.disabled.find(group.name()); found != record.disabled.end())
        before = found->second;
      const SelfTestResult unfinished{.group = group, .variant = "all", .failure = "the test did not finish"};
      record_verdict(record, group, std::span(&unfinished, 1), date);
    });
  }
  try {
    std::vector<SelfTestResult> results = test_group(context, group);
    update([&](vk::KernelRecord& record) { record_verdict(record, group, results, date); });
    return results;
  } catch (const Error&) {
    if (may_be_off) {
      update([&](vk::KernelRecord& record) {
        record.disabled.erase(group.name());
        if (before) record.disabled[group.name()] = *before;
      });
    }
    throw;
  }
}

std::string selftest_line(const SelfTestResult& result) {
  return vkgpt::format("{:<17} {:<44} {:>8.1e} {:>8.1e}  {}", result.group.name(), result.variant,
                       result.error, result.bound, result.failure.empty() ? "ok" : result.failure);
}

nlohmann::ordered_json selftest_json(std::span<const SelfTestResult> results) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const SelfTestResult& result : results) {
    nlohmann::ordered_json record = {{"op", result.group.op}, {"backend", nullptr}};
    if (result.group.backend) record["backend"] = vk::backend_name(*result.group.backend);
    record["variant"] = result.variant;
    record["error"] = result.error;
    record["bound"] = result.bound;
    record["ok"] = result.failure.empty();
    if (!result.failure.empty()) record["failure"] = result.failure;
    list.push_back(std::move(record));
  }
  return list;
}

}  // namespace vkgpt::cli
