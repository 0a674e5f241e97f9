#include "vkgpt/model/gpt_config.hpp"

#include <cmath>
#include <string_view>

#include "vkgpt/core/error.hpp"

namespace vkgpt::model {
namespace {

constexpr std::int64_t kMaxHead = 256;

void check_rope(const GptConfig& config) {
  if (config.rope_scaling == "none") return;
  if (!config.has_rope()) fail_usage("rope_scaling = {} needs pos_encoding = rope", config.rope_scaling);
  const bool yarn = config.rope_scaling == "yarn";
  if (config.rope_scaling == "llama3" && config.rope_high_freq_factor <= config.rope_low_freq_factor) {
    fail_usage("rope_high_freq_factor = {} must be above rope_low_freq_factor = {}",
               config.rope_high_freq_factor, config.rope_low_freq_factor);
  }
  if (yarn && config.rope_beta_fast <= config.rope_beta_slow) {
    fail_usage("rope_beta_fast = {} must be above rope_beta_slow = {}", config.rope_beta_fast,
               config.rope_beta_slow);
  }
  if (yarn && config.rope_theta <= 1)
    fail_usage("rope_theta = {}: yarn needs more than 1", config.rope_theta);
}

/// A letter a layer, of those in `letters`.
void check_pattern(const char* field, std::string_view pattern, std::string_view letters,
                   std::int64_t n_layer) {
  if (pattern.find_first_not_of(letters) != std::string_view::npos) {
    fail_usage("{} = {}: it is made of the letters {}", field, pattern, letters);
  }
  if (static_cast<std::int64_t>(pattern.size()) > n_layer) {
    fail_usage("{} = {}: {} letters for {} layers", field, pattern, pattern.size(), n_layer);
  }
}

void check_layers(const GptConfig& config) {
  check_pattern("window_layers", config.window_layers, "wf", config.n_layer);
  check_pattern("rope_layers", config.rope_layers, "rln", config.n_layer);
  if (!config.window_layers.empty() && config.attention_window == 0) {
    fail_usage("window_layers = {} without attention_window: how wide?", config.window_layers);
  }
  if (!config.rope_layers.empty() && !config.has_rope()) {
    fail_usage("rope_layers = {} needs pos_encoding = rope", config.rope_layers);
  }
  if (config.attention_scalar != 0 && (!config.has_rope() || config.rope_layers.contains('n'))) {
    fail_usage("attention_scalar = {} needs rotary positions in all layers", config.attention_scalar);
  }
  if (config.branch_norms && config.parallel_blocks) {
    fail_usage("branch_norms and parallel_blocks do not go together");
  }
}

}  // namespace

std::int64_t GptConfig::inner_width() const {
  if (n_inner > 0) return n_inner;
  return has_gate() ? (8 * n_embd / 3 + 63) / 64 * 64 : 4 * n_embd;
}

double GptConfig::rope_base() const {
  if (rope_scaling != "dynamic" || block_size <= original_context()) return rope_theta;
  const double stretched = static_cast<double>(block_size) / static_cast<double>(original_context());
  const auto HS = static_cast<double>(head_size());
  return rope_theta * std::pow(rope_factor * stretched - (rope_factor - 1), HS / (HS - 2));
}

double GptConfig::rope_magnitude() const {
  if (rope_scaling != "yarn") return 1;
  return rope_attention_factor != 0 ? rope_attention_factor : 0.1 * std::log(rope_factor) + 1;
}

double GptConfig::head_magnitude() const {
  if (attention_scalar == 0) return 1;
  return std::pow(static_cast<double>(head_size()) / attention_scalar, 0.25);
}

void GptConfig::validate() const {
  if (head_dim == 0 && n_embd % n_head != 0) {
    fail_usage("n_embd = {} is not a multiple of n_head = {}", n_embd, n_head);
  }
  if (head_dim != 0 && (head_dim < 16 || head_dim > kMaxHead || head_dim % 4 != 0)) {
    fail_usage("head_dim = {}: it must be 16 to {} and a multiple of 4", head_dim, kMaxHead);
  }
  if (n_embd % 4 != 0) fail_usage("n_embd = {} is not a multiple of 4", n_embd);
  if (head_size() < 16 || head_size() > kMaxHead || head_size() % 4 != 0) {
    fail_usage("n_embd / n_head = {} / {} gives a head size of {}; it must be 16 to {} and a multiple of 4",
               n_embd, n_head, head_size(), kMaxHead);
  }
  if (n_head % kv_heads() != 0) {
    fail_usage("n_head = {} is not a multiple of n_kv_head = {}", n_head, n_kv_head);
  }
  check_rope(*this);
  check_layers(*this);
}

}  // namespace vkgpt::model
