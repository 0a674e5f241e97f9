#include "cli/device/kernel_report.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "vkgpt/core/format.hpp"

namespace vkgpt::cli {
namespace {

using vk::KernelFigures;

struct Figure {
  std::string_view name;    // in JSON and in messages
  std::string_view column;  // heading
  std::optional<std::uint64_t> KernelFigures::* value;
};

constexpr std::array kFigures = {
    Figure{"registers", "regs", &KernelFigures::registers},
    Figure{"scalar_registers", "sregs", &KernelFigures::scalar_registers},
    Figure{"spills", "spills", &KernelFigures::spills},
    Figure{"scratch_bytes", "scratch", &KernelFigures::scratch_bytes},
    Figure{"shared_bytes", "shared", &KernelFigures::shared_bytes},
    Figure{"occupancy", "occup", &KernelFigures::occupancy},
    Figure{"instructions", "instr", &KernelFigures::instructions},
    Figure{"cycles", "cycles", &KernelFigures::cycles},
    Figure{"inverse_throughput", "inv.thr.", &KernelFigures::inverse_throughput},
};

bool is_reported(std::span<const BuiltKernel> kernels, const Figure& figure) {
  return std::ranges::any_of(kernels, [&](const BuiltKernel& kernel) {
    return std::ranges::any_of(kernel.executables, [&](const vk::PipelineExecutable& executable) {
      return (vk::kernel_figures(executable.statistics).*figure.value).has_value();
    });
  });
}

std::string figure_cells(std::span<const Figure> columns, const vk::PipelineExecutable* executable) {
  std::string text =
      vkgpt::format(" {:>5}", executable == nullptr ? "" : std::to_string(executable->subgroup_size));
  const KernelFigures figures =
      executable == nullptr ? KernelFigures{} : vk::kernel_figures(executable->statistics);
  for (const Figure& figure : columns) {
    const std::optional<std::uint64_t> value = figures.*figure.value;
    text += vkgpt::format(" {:>8}", value ? std::to_string(*value) : "-");
  }
  return text;
}

nlohmann::ordered_json executable_json(const vk::PipelineExecutable& executable) {
  const KernelFigures figures = vk::kernel_figures(executable.statistics);
  nlohmann::ordered_json record = {{"name", executable.name},
                                   {"description", executable.description},
                                   {"subgroup_size", executable.subgroup_size}};
  for (const Figure& figure : kFigures) {
    const std::optional<std::uint64_t> value = figures.*figure.value;
    record["figures"][std::string(figure.name)] =
        value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  }
  nlohmann::ordered_json statistics = nlohmann::ordered_json::array();
  for (const vk::ExecutableStatistic& statistic : executable.statistics) {
    nlohmann::ordered_json entry = {{"name", statistic.name}};
    std::visit([&](auto value) { entry["value"] = value; }, statistic.value);
    entry["description"] = statistic.description;
    statistics.push_back(std::move(entry));
  }
  record["statistics"] = std::move(statistics);
  return record;
}

}  // namespace

std::vector<std::string> missing_figures(std::span<const BuiltKernel> kernels) {
  std::vector<std::string> names;
  for (const Figure& figure : kFigures) {
    if (!is_reported(kernels, figure)) names.emplace_back(figure.name);
  }
  return names;
}

std::string kernel_table(std::span<const BuiltKernel> kernels, bool with_stats) {
  std::vector<Figure> columns;
  if (with_stats) {
    std::ranges::copy_if(kFigures, std::back_inserter(columns),
                         [&](const Figure& figure) { return is_reported(kernels, figure); });
  }
  const bool has_columns = !columns.empty();
  std::string text = vkgpt::format("{:<28} {:>10} {:>8} {:>8}", "kernel", "dispatches", "SPIR-V B", "ms");
  if (has_columns) text += vkgpt::format(" {:>5}", "lanes");
  for (const Figure& figure : columns) text += vkgpt::format(" {:>8}", figure.column);
  text += "  variant\n";
  for (const BuiltKernel& kernel : kernels) {
    const std::string head =
        vkgpt::format("{:<28} {:>10} {:>8} {:>8.1f}", kernel.key.stem, kernel.use.dispatch_count(),
                      kernel.spirv_bytes, kernel.build_milliseconds);
    const std::string tail = vkgpt::format("  {}\n", vk::variant_text(kernel.key));
    if (!has_columns) {
      text.append(head).append(tail);
      continue;
    }
    const auto add = [&](const vk::PipelineExecutable* executable) {
      text.append(head).append(figure_cells(columns, executable)).append(tail);
    };
    if (kernel.executables.empty()) add(nullptr);
    for (const vk::PipelineExecutable& executable : kernel.executables) add(&executable);
  }
  return text;
}

nlohmann::ordered_json kernels_json(std::span<const BuiltKernel> kernels) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const BuiltKernel& kernel : kernels) {
    nlohmann::ordered_json macros = nlohmann::ordered_json::object();
    for (const vk::Macro& macro : kernel.key.macros) macros[macro.name] = macro.value;
    nlohmann::ordered_json executables = nlohmann::ordered_json::array();
    for (const vk::PipelineExecutable& executable : kernel.executables) {
      executables.push_back(executable_json(executable));
    }
    list.push_back({{"kernel", kernel.key.stem},
                    {"variant", vk::variant_text(kernel.key)},
                    {"macros", std::move(macros)},
                    {"spec_constants", kernel.key.spec_constants},
                    {"required_subgroup_size", kernel.key.subgroup_size},
                    {"dispatches", kernel.use.dispatches},
                    {"flops", kernel.use.cost.flops},
                    {"bytes", kernel.use.cost.bytes},
                    {"spirv_bytes", kernel.spirv_bytes},
                    {"build_ms", kernel.build_milliseconds},
                    {"executables", std::move(executables)}});
  }
  return list;
}

}  // namespace vkgpt::cli
