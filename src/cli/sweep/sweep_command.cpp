#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <print>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/directory_lock.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/arguments.hpp"
#include "cli/command/command_line.hpp"
#include "cli/command/process.hpp"
#include "cli/commands.hpp"
#include "cli/sweep/sweep_config.hpp"
#include "cli/sweep/sweep_results.hpp"
#include "cli/train/train_settings.hpp"

namespace vkgpt::cli {
namespace {

// Files of a run's directory besides those of `vkgpt train`.
constexpr const char* kRunFile = "sweep_run.json";    // the settings it was started with
constexpr const char* kSummaryFile = "summary.json";  // of a finished run
constexpr const char* kLogFile = "train.log";

struct SweepOptions {
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "json", .group = "Sweep", .help = "Print the results as JSON"}, self.json);
  }
};

bool is_there(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// The last line that the run wrote, which says why it failed.
std::string last_line(const Path& log) {
  std::string text = is_there(log) ? read_file(log) : "";
  text.erase(text.find_last_not_of('\n') + 1);
  return printable(text.substr(text.rfind('\n') + 1), 300);
}

/// Waits for the run that a killed sweep has left in `directory`: it saves and ends. One that trains on is
/// the next run's error.
void wait_for_orphan(const Path& directory) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!interrupted() && std::chrono::steady_clock::now() < end) {
    try {
      const DirectoryLock lock(directory, "training in");
      return;
    } catch (const IoError&) {
      return;
    } catch (const Error&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

class Sweep {
 public:
  explicit Sweep(const SweepConfig& config)
      : config_(config),
        directory_(config.out_dir),
        lock_((make_directories(directory_), directory_), "sweeping in") {
    for (SweepRun& run : plan_sweep(config)) results_.push_back({.run = std::move(run)});
    for (SweepResult& result : results_) prepare(result);
  }

  /// Runs what is not done yet; false when a signal came.
  bool run() {
    for (SweepResult& result : results_) {
      if (result.state == SweepState::kDone) continue;
      if (interrupted()) return false;
      train(result);
      write_results();
    }
    return !interrupted();
  }

  void write_results() const {
    const std::vector<SweepResult> sorted = ranked(results_);
    replace_file(directory_ / "sweep.json", sweep_json(sorted).dump(2) + "\n");
    replace_file(directory_ / "sweep.csv", sweep_csv(sorted));
  }

  const std::vector<SweepResult>& results() const { return results_; }

 private:
  Path directory_of(const SweepResult& result) const { return directory_ / result.run.name; }

  nlohmann::ordered_json run_settings(const SweepRun& run) const {
    nlohmann::ordered_json settings = nlohmann::ordered_json::object();
    for (const Setting& setting : config_.base) {
      if (setting.key != "out_dir" && setting.key != "resume") settings[setting.key] = setting.text;
    }
    for (const auto& [key, value] : run.values) settings[key] = value;
    return settings;
  }

  /// The settings as flags too, the preset's first, but for those that only files have: VKGPT_* variables
  /// count before files and presets, and what is recorded is what runs.
  std::vector<std::string> flags_of(const SweepRun& run) const {
    const TrainSettings train;
    const nlohmann::ordered_json settings = run_settings(run);
    std::vector<std::string> flags;
    const auto add = [&](const std::string& key, const std::string& value) {
      const Field* const field = train.fields.find(key);
      if (field != nullptr && !field->info.file_only) flags.push_back(vkgpt::format("--{}={}", key, value));
    };
    const std::string preset = settings.value("preset", "");
    if (!preset.empty()) {
      for (const Setting& setting : preset_settings(find_preset(preset))) add(setting.key, setting.text);
    }
    for (const auto& [key, value] : settings.items()) add(key, value.get<std::string>());
    return flags;
  }

  /// What the run's directory is called where it had another number, before values were added to the search.
  std::string name_on_disk(const SweepRun& run, const std::string& settings) const {
    const std::size_t values = run.name.find('-');
    if (values == std::string::npos || is_there(directory_ / run.name)) return run.name;
    for (const Path& path : list_directory(directory_)) {
      const std::string name = path.filename().string();
      const std::size_t begin = name.find('-');
      if (begin == std::string::npos || name.substr(begin) != run.name.substr(values)) continue;
      if (is_there(path / kRunFile) && read_file(path / kRunFile) == settings) return name;
    }
    return run.name;
  }

  /// Makes the run's directory, or takes up what is in it.
  void prepare(SweepResult& result) {
    const std::string settings = run_settings(result.run).dump(2) + "\n";
    result.run.name = name_on_disk(result.run, settings);
    const Path directory = directory_of(result);
    make_directories(directory);
    if (!is_there(directory / kRunFile)) {
      replace_file(directory / kRunFile, settings);
    } else if (read_file(directory / kRunFile) != settings) {
      fail_usage("{} holds a run with other settings: give the sweep another out_dir, or take it away",
                 printable(directory.string(), 200));
    }
    const Path summary = directory / kSummaryFile;
    if (!is_there(summary)) return;
    result.read_summary(read_file(summary), summary.string());
    result.state = SweepState::kDone;
  }

  void train(SweepResult& result) {
    const Path directory = directory_of(result);
    const auto number = &result - results_.data() + 1;
    log_info("[{}/{}] {}", number, results_.size(), result.run.name);
    std::vector<std::string> words = {std::filesystem::read_symlink("/proc/self/exe").string(),
                                      "train",
                                      "--config",
                                      (directory / kRunFile).string(),
                                      "--out_dir",
                                      directory.string(),
                                      "--resume",
                                      "--json"};
    std::ranges::move(flags_of(result.run), std::back_inserter(words));
    wait_for_orphan(directory);
    const Path printed = directory / "summary.json.tmp";
    result.state = SweepState::kRunning;
    const int code = run_supervised(std::move(words), printed, directory / kLogFile);
    if (code == static_cast<int>(ExitCode::kInterrupted)) {
      result.state = SweepState::kInterrupted;
      return;
    }
    if (code != 0) {
      result.state = SweepState::kFailed;
      result.error = last_line(directory / kLogFile);
      log_warning("[{}/{}] failed with exit code {}: {}", number, results_.size(), code, result.error);
      return;
    }
    result.read_summary(read_file(printed), printed.string());
    rename_path(printed, directory / kSummaryFile);
    result.state = SweepState::kDone;
    const auto loss = [](const std::optional<double>& value) {
      return value ? vkgpt::format("{:.4f}", *value) : std::string("n/a");
    };
    log_info("[{}/{}] val loss {}, train loss {} after {} steps", number, results_.size(),
             loss(result.val_loss), loss(result.train_loss), result.steps);
  }

  const SweepConfig& config_;
  Path directory_;
  DirectoryLock lock_;
  std::vector<SweepResult> results_;
};

}  // namespace

int run_sweep(std::span<const std::string> args) {
  SweepOptions options;
  FieldSet fields(options);
  const Arguments arguments = read_arguments(fields, args);
  if (!arguments.help.empty()) {
    CommandLine command(
        "sweep",
        "Trains one model after another over a grid or at random points of settings and ranks "
        "them.\n\nThe file of --config has: method (grid, random), runs, seed, out_dir, base "
        "(settings of train, or a file of\nthem) and parameters, each a list of values or {min, "
        "max, scale: log|linear, count}. Started again, it goes on.");
    command.add(options).parse(args);
    return 0;
  }
  for (const Setting& setting : arguments.settings) fields.set(setting);
  if (!arguments.positionals.empty() || arguments.config_path.empty()) {
    fail_usage("expected 'vkgpt sweep --config sweep.yaml'");
  }
  const SweepConfig config = read_sweep_config(arguments.config_path);
  install_interrupt_handlers();
  Sweep sweep(config);
  const bool finished = sweep.run();
  sweep.write_results();
  const std::vector<SweepResult> sorted = ranked(sweep.results());
  if (options.json) {
    std::print("{}\n", sweep_json(sorted).dump(2));
  } else {
    std::print("{}", sweep_table(sorted));
  }
  if (!finished) return static_cast<int>(ExitCode::kInterrupted);
  const bool failed = std::ranges::any_of(
      sorted, [](const SweepResult& result) { return result.state == SweepState::kFailed; });
  return static_cast<int>(failed ? ExitCode::kFailure : ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
