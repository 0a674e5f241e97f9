#include "model/gguf_rope.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/ops/attention/rope.hpp"

#include "model/gpt_block.hpp"

namespace vkgpt::model {
namespace {

constexpr double kTolerance = 1e-4;

/// How often pair `i` turns in a position where nothing is stretched.
double turns_of(const GptConfig& config, std::size_t i) {
  const double frequency =
      ops::rope_frequency({.theta = config.rope_theta}, static_cast<std::int64_t>(i), config.head_size());
  return frequency / (2 * std::numbers::pi);
}

/// The line through points, as least squares have it.
class Line {
 public:
  void add(double x, double y) {
    ++count_;
    x_ += x;
    y_ += y;
    xx_ += x * x;
    xy_ += x * y;
  }
  int count() const { return count_; }
  double slope() const { return (count_ * xy_ - x_ * y_) / (count_ * xx_ - x_ * x_); }
  double at_zero() const { return mean_y() - slope() * mean_x(); }
  double mean_x() const { return x_ / count_; }
  double mean_y() const { return y_ / count_; }

 private:
  int count_ = 0;
  double x_ = 0;
  double y_ = 0;
  double xx_ = 0;
  double xy_ = 0;
};

/// Between pairs that are stretched and pairs that are not, how much is kept is a line over how often a pair
/// turns: (context turns - low) / (high - low). Only its two numbers count; low is 1 here.
void set_ramp(std::span<const float> divisors, GptConfig& config) {
  config.rope_low_freq_factor = 1;
  config.rope_high_freq_factor = 4;
  config.rope_original_context = 1;  // everything turns less often than that
  Line line;
  double often = 0;   // the least turns of what is kept
  double seldom = 0;  // the most turns of what is stretched
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    const double kept = (1.0 / divisors[i] - 1 / config.rope_factor) / (1 - 1 / config.rope_factor);
    const double turns = turns_of(config, i);
    if (kept > 1 - kTolerance) {
      often = turns;
    } else if (kept < kTolerance) {
      seldom = std::max(seldom, turns);
    } else {
      line.add(turns, kept);
    }
  }
  const auto whole = [](double context) {
    return static_cast<std::int64_t>(std::llround(std::clamp(context, 1.0, 1e7)));
  };
  if (line.count() > 1 && line.at_zero() < 0) {
    const double high = 1 - 1 / line.at_zero();
    config.rope_high_freq_factor = std::abs(high - std::round(high)) < 1e-2 ? std::round(high) : high;
    config.rope_original_context = whole(line.slope() * (config.rope_high_freq_factor - 1));
  } else if (line.count() == 1) {
    config.rope_original_context = whole((3 * line.mean_y() + 1) / line.mean_x());
  } else if (often > 0) {
    config.rope_high_freq_factor = 1.001;
    config.rope_original_context = whole(1 / std::sqrt(often * std::max(seldom, often / 4)));
  }
}

/// What ggml multiplies the rotation of YaRN by, of itself.
double own_magnitude(double factor) {
  return 0.1 * std::log(factor) + 1;
}

void read_yarn(const GgufFile& file, const std::string& prefix, double factor, GptConfig& config) {
  if (file.find(kRopeDivisors) != nullptr) {
    fail("{}: it has {} beside rotary positions that are stretched by the rule \"yarn\"", file.where(),
         kRopeDivisors);
  }
  const auto number = [&](const char* key, double otherwise) {
    return file.has(prefix + key) ? file.get<double>(prefix + key) : otherwise;
  };
  for (const auto& [key, usual] : {std::pair{"yarn_log_multiplier", 0.0}, std::pair{"yarn_ext_factor", 1.0},
                                   std::pair{"yarn_attn_factor", 1.0}}) {
    if (number(key, usual) != usual) fail("{}: {}{} is not supported", file.where(), prefix, key);
  }
  config.rope_scaling = "yarn";
  config.rope_factor = factor;
  config.rope_beta_fast = number("yarn_beta_fast", config.rope_beta_fast);
  config.rope_beta_slow = number("yarn_beta_slow", config.rope_beta_slow);
  const double magnitude = number("attn_factor", 1);
  if (magnitude != 1) config.rope_attention_factor = magnitude * own_magnitude(factor);
  const std::string context = prefix + "original_context_length";
  constexpr std::int64_t kMost = 1 << 24;
  config.rope_original_context = file.has(context) ? file.get<std::int64_t>(context) : config.block_size;
  if (config.rope_original_context < 1 || config.rope_original_context > kMost) {
    fail("{}: {} is {}", file.where(), context, config.rope_original_context);
  }
}

}  // namespace

void add_rope_scaling(const GptConfig& config, const std::string& architecture,
                      std::vector<GgufEntry>& entries) {
  const std::string prefix = architecture + ".rope.scaling.";
  const bool yarn = config.rope_scaling == "yarn";
  if (!yarn && config.rope_scaling != "linear") return;
  entries.push_back({prefix + "type", config.rope_scaling});
  entries.push_back({prefix + "factor", static_cast<float>(config.rope_factor)});
  if (!yarn) return;
  entries.push_back(
      {prefix + "original_context_length", static_cast<std::uint32_t>(config.original_context())});
  entries.push_back({prefix + "yarn_beta_fast", static_cast<float>(config.rope_beta_fast)});
  entries.push_back({prefix + "yarn_beta_slow", static_cast<float>(config.rope_beta_slow)});
  if (config.rope_attention_factor == 0) return;
  entries.push_back({prefix + "attn_factor",
                     static_cast<float>(config.rope_attention_factor / own_magnitude(config.rope_factor))});
}

void read_rope_scaling(const GgufFile& file, const std::string& architecture, GptConfig& config) {
  const std::string prefix = architecture + ".rope.scaling.";
  const auto scaling = file.get<std::string>(prefix + "type", std::string("none"));
  const std::string older = architecture + ".rope.scale_linear";
  double factor = file.has(prefix + "factor") ? file.get<double>(prefix + "factor") : 1;
  if (scaling == "none" && file.has(older)) factor = file.get<double>(older);
  if (scaling == "yarn" && factor != 1) return read_yarn(file, prefix, factor, config);
  if (scaling != "none" && scaling != "linear" && factor != 1) {
    fail("{}: rotary positions that are stretched by the rule {} are not supported", file.where(),
         json_quoted(scaling));
  }
  const GgufTensorInfo* tensor = file.find(kRopeDivisors);
  if (tensor == nullptr) {
    if (factor == 1) return;
    config.rope_scaling = "linear";
    config.rope_factor = factor;
    return;
  }
  std::vector<float> divisors(static_cast<std::size_t>(config.head_size() / 2), 1.0F);
  if (tensor->shape.numel() != std::ssize(divisors)) {
    fail("{}: {} has {} numbers for heads of {}", file.where(), kRopeDivisors, tensor->shape.numel(),
         config.head_size());
  }
  file.read(*tensor, divisors);
  for (float& divisor : divisors) divisor *= static_cast<float>(factor);
  set_rope_divisors(divisors, config, file.where());
}

std::vector<float> rope_divisors(const GptConfig& config) {
  std::vector<float> divisors;
  if (config.rope_scaling != "llama3") return divisors;
  const ops::RopeAngles angles = rope_angles(config);
  for (std::int64_t i = 0; i < config.head_size() / 2; ++i) {
    const double plain = ops::rope_frequency({.theta = config.rope_theta}, i, config.head_size());
    divisors.push_back(static_cast<float>(plain / ops::rope_frequency(angles, i, config.head_size())));
  }
  return divisors;
}

void set_rope_divisors(std::span<const float> divisors, GptConfig& config, const std::string& where) {
  const auto refuse = [&] {
    fail("{}: rotary positions are stretched in a way that is not Llama 3's, which this version does not run",
         where);
  };
  if (!std::ranges::all_of(divisors, [](float d) { return d >= 1 - kTolerance && d < 1e6F; })) refuse();
  const float factor = std::ranges::max(divisors);
  if (factor < 1 + kTolerance) return;
  config.rope_scaling = "llama3";
  config.rope_factor = factor;
  set_ramp(divisors, config);
  const std::vector<float> made = rope_divisors(config);
  if (made.size() != divisors.size()) refuse();
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (std::abs(made[i] / divisors[i] - 1) > kTolerance) refuse();
  }
}

}  // namespace vkgpt::model
