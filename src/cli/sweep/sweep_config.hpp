#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/core/file.hpp"

namespace vkgpt::cli {

/// The values that a search gives to one training setting.
struct SweepParameter {
  std::string key;
  std::vector<std::string> values;  ///< to choose from; empty where the range below says
  double min = 0;
  double max = 0;
  bool logarithmic = false;
  bool whole = false;      ///< the setting is an integer
  std::int64_t count = 0;  ///< points of the range in a grid
};

/// What a sweep file says:
///
///   method: grid                     # or random
///   runs: 20                         # of a random search
///   seed: 1                          # of a random search
///   out_dir: sweeps/first
///   base: {preset: tinygpt, data_path: data/tinyshakespeare.txt}   # or the path of a configuration
///   parameters:
///     learning_rate: {min: 1e-4, max: 1e-2, scale: log}            # in a grid with count: 5
///     n_layer: [2, 4]
struct SweepConfig {
  bool random = false;
  std::int64_t runs = 0;
  std::uint64_t seed = 1337;
  std::string out_dir = "sweep";
  std::vector<Setting> base;
  std::vector<SweepParameter> parameters;
};

/// One run of a sweep: its directory's name and its values, in the order of the parameters.
struct SweepRun {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};

/// Reads a YAML or JSON file. Usage errors, one line with the place, for anything that is not as above, and
/// for keys and values that training does not have.
SweepConfig read_sweep_config(const Path& path);

/// The runs, the same ones each time. Usage errors for more than 10,000 of them and for one whose settings
/// contradict each other.
std::vector<SweepRun> plan_sweep(const SweepConfig& config);

}  // namespace vkgpt::cli
