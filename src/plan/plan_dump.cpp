#include "vkgpt/plan/plan_dump.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"

namespace vkgpt::plan {
namespace {

struct Total {
  std::size_t dispatches = 0;
  std::int64_t flops = 0;
  std::int64_t bytes = 0;

  void add(const Dispatch& dispatch) {
    ++dispatches;
    flops += dispatch.cost.flops;
    bytes += dispatch.cost.bytes;
  }
};

Total total_of(const Segment& segment) {
  Total total;
  for (const Dispatch& dispatch : segment.dispatches) total.add(dispatch);
  return total;
}

std::map<std::string, Total> totals_by_kernel(const Segment& segment) {
  std::map<std::string, Total> totals;
  for (const Dispatch& dispatch : segment.dispatches) totals[dispatch.kernel.stem].add(dispatch);
  return totals;
}

std::string format_flops(std::int64_t flops) {
  return flops >= 1'000'000'000 ? vkgpt::format("{:.2f} GFLOP", flops / 1e9)
                                : vkgpt::format("{:.2f} MFLOP", flops / 1e6);
}

std::string total_line(std::string_view name, const Total& total) {
  return vkgpt::format("  {:<36} {:>5} {:>16} {:>12}", name, total.dispatches, format_flops(total.flops),
                       format_bytes(total.bytes));
}

/// Names bindings: "params:h.0.attn.c_attn.weight" inside a view of an arena that has a name of its own.
class BindingNames {
 public:
  explicit BindingNames(const Plan& plan) : plan_(plan) {
    for (const TensorInfo& view : plan.tensors) {
      if (view.name != plan.tensor(view.root).name) views_.try_emplace({view.root, view.root_offset}, &view);
    }
  }

  std::string operator()(const Binding& binding) const {
    const std::string& root = plan_.tensor(binding.tensor).name;
    const auto after = views_.upper_bound({binding.tensor, binding.offset});
    if (after == views_.begin()) return root;
    const TensorInfo& view = *std::prev(after)->second;
    const bool holds =
        view.root == binding.tensor && binding.offset + binding.size <= view.root_offset + view.bytes();
    return holds ? root + ":" + view.name : root;
  }

 private:
  const Plan& plan_;
  std::map<std::pair<TensorId, std::uint64_t>, const TensorInfo*> views_;
};

std::string dispatch_line(const BindingNames& names, const Dispatch& dispatch, bool barrier_before) {
  std::string reads;
  std::string writes;
  for (const Binding& binding : dispatch.bindings) {
    const std::string name = names(binding);
    if (binding.reads()) reads += " " + name;
    if (binding.writes()) writes += " " + name;
  }
  return vkgpt::format("{}    {} [{}x{}x{}]:{} ->{}\n", barrier_before ? "    ---- barrier\n" : "",
                       dispatch.label, dispatch.groups[0], dispatch.groups[1], dispatch.groups[2], reads,
                       writes);
}

}  // namespace

std::string dump_text(const Schedule& schedule, bool verbose) {
  const BindingNames names(schedule.plan);
  std::string text;
  for (std::size_t i = 0; i < schedule.plan.segments.size(); ++i) {
    const Segment& segment = schedule.plan.segments[i];
    const BarrierPlan& barriers = schedule.barriers[i];
    text += vkgpt::format("segment {}: {} barriers\n", segment.name, barriers.size());
    text += vkgpt::format("  {:<36} {:>5} {:>16} {:>12}\n", "kernel", "calls", "work", "moved");
    for (const auto& [stem, total] : totals_by_kernel(segment)) text += total_line(stem, total) + "\n";
    text += total_line("total", total_of(segment)) + "\n";
    if (verbose) {
      for (std::size_t d = 0; d < segment.dispatches.size(); ++d) {
        text += dispatch_line(names, segment.dispatches[d], std::ranges::binary_search(barriers, d));
      }
    }
    text += "\n";
  }
  text += "peak memory\n";
  for (const auto& [role, bytes] : schedule.memory.bytes_by_role) {
    text += vkgpt::format("  {:<36} {:>12}\n", role_name(role), format_bytes(bytes));
  }
  text += vkgpt::format("  {:<36} {:>12}\n", "total", format_bytes(schedule.memory.total_bytes()));
  if (schedule.memory.host_bytes > 0) {
    text +=
        vkgpt::format("  {:<36} {:>12}\n", "the host's, beside it", format_bytes(schedule.memory.host_bytes));
  }
  return text;
}

nlohmann::json dump_json(const Schedule& schedule) {
  nlohmann::json segments = nlohmann::json::array();
  for (std::size_t i = 0; i < schedule.plan.segments.size(); ++i) {
    const Segment& segment = schedule.plan.segments[i];
    nlohmann::json kernels = nlohmann::json::object();
    for (const auto& [stem, total] : totals_by_kernel(segment)) {
      kernels[stem] = {{"dispatches", total.dispatches}, {"flops", total.flops}, {"bytes", total.bytes}};
    }
    const Total total = total_of(segment);
    segments.push_back({{"name", segment.name},
                        {"dispatches", total.dispatches},
                        {"barriers", schedule.barriers[i].size()},
                        {"flops", total.flops},
                        {"bytes", total.bytes},
                        {"kernels", kernels}});
  }
  nlohmann::json memory = nlohmann::json::object();
  for (const auto& [role, bytes] : schedule.memory.bytes_by_role)
    memory[std::string(role_name(role))] = bytes;
  return {{"segments", segments},
          {"memory", memory},
          {"memory_total", schedule.memory.total_bytes()},
          {"host_memory", schedule.memory.host_bytes}};
}

}  // namespace vkgpt::plan
