#include "cli/bench/bench_figure.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/format.hpp"

namespace vkgpt::cli {
namespace {

struct Limit {
  const char* name;
  const char* unit;
  double DeviceLimits::* value;
};

constexpr std::array kLimits = {
    Limit{"copy", "GB/s", &DeviceLimits::copy},
    Limit{"fma f32", "GFLOP/s", &DeviceLimits::fma_f32},
    Limit{"fma f16", "GFLOP/s", &DeviceLimits::fma_f16},
    Limit{"matrices f16", "GFLOP/s", &DeviceLimits::matrix_f16},
};

bool has_faster_matrices(const DeviceLimits& limits, DType dtype) {
  return dtype_size(dtype) == 2 && limits.matrix_f16 > limits.fma_f32;
}

std::string percent(double share) {
  return share == 0 ? "" : vkgpt::format("{:.0f} %", 100 * share);
}

/// Three or four digits.
std::string number(double value) {
  return vkgpt::format("{:.{}f}", value, value < 10 ? 2 : value < 1000 ? 1 : 0);
}

const Figure* find(std::span<const Figure> figures, const Figure& like) {
  const auto found = std::ranges::find_if(figures, [&](const Figure& figure) {
    return figure.bench == like.bench && figure.name == like.name && figure.unit == like.unit;
  });
  return found == figures.end() ? nullptr : &*found;
}

std::size_t name_width(std::span<const Figure> figures) {
  std::size_t width = 0;
  for (const Figure& figure : figures) width = std::max(width, figure.name.size());
  return width;
}

}  // namespace

double DeviceLimits::peak(DType dtype) const {
  return has_faster_matrices(*this, dtype) ? matrix_f16 : fma_f32;
}

std::string_view DeviceLimits::peak_name(DType dtype) const {
  return has_faster_matrices(*this, dtype) ? "matrices f16" : "fma f32";
}

double share_of_limit(const plan::Cost& cost, double seconds, DType dtype, const DeviceLimits& limits) {
  if (limits.peak(dtype) == 0 || limits.copy == 0 || seconds == 0) return 0;
  const double least = 1e-9 * std::max(static_cast<double>(cost.flops) / limits.peak(dtype),
                                       static_cast<double>(cost.bytes) / limits.copy);
  return least / seconds;
}

Figure compute_figure(std::string bench, std::string name, const plan::Cost& cost, double seconds,
                      DType dtype, const DeviceLimits& limits) {
  return {.bench = std::move(bench),
          .name = std::move(name),
          .milliseconds = 1e3 * seconds,
          .rate = 1e-9 * static_cast<double>(cost.flops) / seconds,
          .unit = "GFLOP/s",
          .share = share_of_limit(cost, seconds, dtype, limits)};
}

Figure bandwidth_figure(std::string bench, std::string name, const plan::Cost& cost, double seconds,
                        const DeviceLimits& limits) {
  return {.bench = std::move(bench),
          .name = std::move(name),
          .milliseconds = 1e3 * seconds,
          .rate = 1e-9 * static_cast<double>(cost.bytes) / seconds,
          .unit = "GB/s",
          .share = share_of_limit(cost, seconds, DType::kF32, limits)};
}

std::string limits_text(const DeviceLimits& limits) {
  std::string text;
  for (const Limit& limit : kLimits) {
    const double value = limits.*limit.value;
    if (value == 0) continue;
    text += vkgpt::format("{}{} {} {}", text.empty() ? "" : ", ", limit.name, number(value), limit.unit);
  }
  return text;
}

std::string figure_table(std::span<const Figure> figures) {
  const std::size_t width = std::max<std::size_t>(name_width(figures), 8);
  std::string text = vkgpt::format("{:<10} {:<{}} {:>10} {:>9} {:<8} {:>8}\n", "bench", "work", width, "ms",
                                   "rate", "", "of limit");
  for (const Figure& figure : figures) {
    text += vkgpt::format("{:<10} {:<{}} {:>10.3f} {:>9} {:<8} {:>8}\n", figure.bench, figure.name, width,
                          figure.milliseconds, number(figure.rate), figure.unit, percent(figure.share));
  }
  return text;
}

std::string comparison_table(std::span<const DeviceFigures> devices) {
  std::vector<Figure> all;
  for (const DeviceFigures& device : devices) {
    for (const Figure& figure : device.figures) {
      if (find(all, figure) == nullptr) all.push_back(figure);
    }
  }
  constexpr std::size_t kColumn = 24;
  const std::size_t width = std::max<std::size_t>(name_width(all), 8);
  std::string text = vkgpt::format("{:<10} {:<{}} {:<8}", "bench", "work", width, "");
  for (const DeviceFigures& device : devices) {
    text += vkgpt::format(" {:>{}}", device.device.substr(0, kColumn), kColumn);
  }
  text += "\n";
  for (const Figure& figure : all) {
    text += vkgpt::format("{:<10} {:<{}} {:<8}", figure.bench, figure.name, width, figure.unit);
    for (const DeviceFigures& device : devices) {
      const Figure* mine = find(device.figures, figure);
      const std::string cell =
          mine == nullptr ? "-" : vkgpt::format("{} {:>6}", number(mine->rate), percent(mine->share));
      text += vkgpt::format(" {:>{}}", cell, kColumn);
    }
    text += "\n";
  }
  return text;
}

nlohmann::ordered_json figures_json(const DeviceFigures& device) {
  nlohmann::ordered_json limits = nlohmann::ordered_json::object();
  for (const Limit& limit : kLimits) {
    const double value = device.limits.*limit.value;
    limits[limit.name] = value == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
  }
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const Figure& figure : device.figures) {
    figures.push_back(
        {{"bench", figure.bench},
         {"name", figure.name},
         {"ms", figure.milliseconds},
         {"rate", figure.rate},
         {"unit", figure.unit},
         {"share", figure.share == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(figure.share)}});
  }
  return {{"device", device.device}, {"driver", device.driver}, {"limits", limits}, {"figures", figures}};
}

}  // namespace vkgpt::cli
