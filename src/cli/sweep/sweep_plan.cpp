#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <set>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

#include "cli/sweep/sweep_config.hpp"
#include "cli/train/train_settings.hpp"

namespace vkgpt::cli {
namespace {

using Values = std::vector<std::string>;

constexpr std::size_t kMaxRuns = 10'000;

/// "1e-4", not "1e-04".
std::string short_number(std::string text) {
  const std::size_t exponent = text.find("e-0");
  if (exponent != std::string::npos) text.erase(exponent + 2, 1);
  return text;
}

/// The value at `share` (0 to 1) of the range; three digits are enough for a search and fit into a name.
std::string value_at(const SweepParameter& parameter, double share) {
  const double value = parameter.logarithmic ? parameter.min * std::pow(parameter.max / parameter.min, share)
                                             : parameter.min + (parameter.max - parameter.min) * share;
  if (parameter.whole) return vkgpt::format("{}", std::llround(value));
  if (share == 0 || share == 1)
    return short_number(vkgpt::format("{}", share == 0 ? parameter.min : parameter.max));
  return short_number(vkgpt::format("{:.3g}", value));
}

Values grid_values(const SweepParameter& parameter) {
  if (!parameter.values.empty()) return parameter.values;
  Values values;
  for (std::int64_t i = 0; i < parameter.count; ++i) {
    const double share =
        parameter.count == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(parameter.count - 1);
    const std::string value = value_at(parameter, share);
    if (values.empty() || values.back() != value) values.push_back(value);
  }
  return values;
}

/// Every combination; the last parameter varies fastest.
std::vector<Values> grid(const SweepConfig& config) {
  std::vector<Values> runs = {{}};
  for (const SweepParameter& parameter : config.parameters) {
    std::vector<Values> longer;
    for (const Values& run : runs) {
      for (const std::string& value : grid_values(parameter)) {
        longer.push_back(run);
        longer.back().push_back(value);
        if (longer.size() > kMaxRuns) fail_usage("the grid has more than {} runs", kMaxRuns);
      }
    }
    runs = std::move(longer);
  }
  return runs;
}

/// The engine's numbers are fixed by the standard, its distributions are not: both are made of the former.
double uniform(std::mt19937_64& engine) {
  return std::ldexp(static_cast<double>(engine() >> 11), -53);
}

/// `config.runs` combinations, no two the same while there are others.
std::vector<Values> random_draws(const SweepConfig& config) {
  if (config.runs > static_cast<std::int64_t>(kMaxRuns)) fail_usage("more than {} runs", kMaxRuns);
  constexpr int kTries = 100;
  std::mt19937_64 engine(config.seed);
  std::vector<Values> runs;
  std::set<Values> seen;
  for (std::int64_t i = 0; i < config.runs; ++i) {
    Values run;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      run.clear();
      for (const SweepParameter& parameter : config.parameters) {
        const double share = uniform(engine);
        const auto choice = static_cast<std::size_t>(share * static_cast<double>(parameter.values.size()));
        run.push_back(parameter.values.empty() ? value_at(parameter, share) : parameter.values[choice]);
      }
      if (!seen.contains(run)) break;
    }
    if (seen.insert(run).second) runs.push_back(run);
  }
  return runs;
}

/// "003-learning_rate=0.001-n_layer=4", with only characters that every file system takes.
std::string run_name(std::size_t number, const SweepRun& run) {
  constexpr std::size_t kLongest = 120;
  std::string name = vkgpt::format("{:03}", number);
  for (const auto& [key, value] : run.values) name += vkgpt::format("-{}={}", key, value);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '-' && c != '_' && c != '=' && c != '.' && c != '+') c = '_';
  }
  return name.substr(0, kLongest);
}

/// Refuses a run that would fail at its start.
void check_run(const SweepConfig& config, const SweepRun& run) {
  TrainSettings train;
  for (const Setting& setting : config.base) {
    if (setting.key != "preset" || setting.text.empty()) continue;
    for (const Setting& of_preset : preset_settings(find_preset(setting.text))) {
      if (train.fields.find(of_preset.key) != nullptr) train.fields.set(of_preset);
    }
  }
  for (const Setting& setting : config.base) train.fields.set(setting);
  for (const auto& [key, value] : run.values) {
    train.fields.set({.key = key, .text = value, .origin = SettingOrigin::kFlag, .where = key});
  }
  try {
    train.model.validate();
    train.train.validate();
    train.train.validate(train.model);
  } catch (const Error& error) {
    fail_usage("run {}: {}", run.name, error.what());
  }
  if (train.train.data_path.empty() && train.train.memmap_dataset.empty()) {
    fail_usage("'base' has neither data_path nor memmap_dataset: name the text to train on");
  }
}

}  // namespace

std::vector<SweepRun> plan_sweep(const SweepConfig& config) {
  std::vector<SweepRun> runs;
  for (const Values& values : config.random ? random_draws(config) : grid(config)) {
    SweepRun run;
    for (std::size_t i = 0; i < values.size(); ++i) {
      run.values.emplace_back(config.parameters[i].key, values[i]);
    }
    run.name = run_name(runs.size() + 1, run);
    check_run(config, run);
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace vkgpt::cli
