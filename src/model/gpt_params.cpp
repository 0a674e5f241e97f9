#include "vkgpt/model/gpt_params.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::model {
namespace {

constexpr double kInitStd = 0.02;
constexpr std::string_view kAdapterA = ".lora_A.weight";
constexpr std::string_view kAdapterB = ".lora_B.weight";

bool is_linear_weight(std::string_view name) {
  return name.ends_with(".c_attn.weight") || name.ends_with(".c_proj.weight") ||
         name.ends_with(".c_fc.weight");
}

/// Whether `pattern`, in which '*' stands for any text, is all of `name`.
bool matches(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t skipped = star; skipped <= name.size(); ++skipped) {
    if (matches(rest, name.substr(skipped))) return true;
  }
  return false;
}

std::int64_t round_up(std::int64_t elements) {
  return (elements + GptParams::kAlignment - 1) / GptParams::kAlignment * GptParams::kAlignment;
}

/// Whether `spec` has the first positions of `source`.
bool is_shorter(const ParamSpec& spec, const ParamSpec& source) {
  return spec.name == "wpe.weight" && spec.shape[0] < source.shape[0] && spec.shape[1] == source.shape[1];
}

std::span<float> part(std::span<float> arena, const ParamSpec& spec) {
  return arena.subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel()));
}

}  // namespace

GptParams::GptParams(const GptConfig& config, Adaptation adaptation)
    : config_(config), adaptation_(std::move(adaptation)) {
  VKGPT_CHECK(config.vocab_size > 0, "the vocabulary is not known yet");
  add_model();
  if (adaptation_.lora_rank > 0) add_adapters();
  freeze();
  place();
}

void GptParams::add_model() {
  using Init = ParamSpec::Init;
  const std::int64_t C = config_.n_embd;
  const std::int64_t F = config_.inner_width();
  const double residual_std = kInitStd / std::sqrt(2.0 * static_cast<double>(config_.n_layer));
  const auto add_vocabulary_matrix = [&](std::string name) {
    add(std::move(name), {config_.padded_vocab_size(), C}, Init::kNormal, kInitStd);
    specs_.back().unpadded_shape = {config_.vocab_size, C};
  };
  const Init norm_init = config_.norm_counts_from_one() ? Init::kZero : Init::kOne;
  const auto add_norm = [&](const std::string& name) {
    add(name + ".weight", {C}, norm_init, 0);
    if (config_.bias && !config_.has_rms_norm()) add(name + ".bias", {C}, Init::kZero, 0);
  };
  const auto add_linear = [&](const std::string& name, std::int64_t out, std::int64_t in, double init_std) {
    add(name + ".weight", {out, in}, Init::kNormal, init_std);
    if (config_.bias) add(name + ".bias", {out}, Init::kZero, 0);
  };

  add_vocabulary_matrix("wte.weight");
  if (!config_.has_rope()) add("wpe.weight", {config_.block_size, C}, Init::kNormal, kInitStd);
  for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
    const std::string h = "h." + std::to_string(layer);
    add_norm(h + ".ln_1");
    add_linear(h + ".attn.c_attn", config_.qkv_width(), C, kInitStd);
    if (config_.qk_norm) {
      add(h + ".attn.q_norm.weight", {config_.head_size()}, norm_init, 0);
      add(h + ".attn.k_norm.weight", {config_.head_size()}, norm_init, 0);
    }
    add_linear(h + ".attn.c_proj", C, config_.attention_width(), residual_std);
    if (config_.branch_norms) add_norm(h + ".attn.ln_out");
    if (!config_.parallel_blocks) add_norm(h + ".ln_2");
    // Rows of a gate, then those that it gates.
    add_linear(h + ".mlp.c_fc", config_.has_gate() ? 2 * F : F, C, kInitStd);
    add_linear(h + ".mlp.c_proj", C, F, residual_std);
    if (config_.branch_norms) add_norm(h + ".mlp.ln_out");
  }
  add_norm("ln_f");
  if (!config_.tie_weights) add_vocabulary_matrix("lm_head.weight");
}

void GptParams::add_adapters() {
  std::vector<ParamSpec> base;
  base.swap(specs_);
  std::vector<bool> used(adaptation_.lora_targets.size());
  for (ParamSpec& spec : base) {
    const Shape shape = spec.shape;
    const std::string module = spec.name.substr(0, spec.name.rfind('.'));
    const bool is_linear = is_linear_weight(spec.name);
    specs_.push_back(std::move(spec));
    if (!is_linear) continue;
    for (std::size_t i = 0; i < used.size(); ++i) {
      const std::string& target = adaptation_.lora_targets[i];
      if (!module.ends_with("." + target)) continue;
      used[i] = true;
      const std::int64_t r = adaptation_.lora_rank;
      add(module + std::string(kAdapterA), {r, shape[1]}, ParamSpec::Init::kNormal,
          1 / std::sqrt(static_cast<double>(shape[1])));
      specs_.back().is_adapter = true;
      add(module + std::string(kAdapterB), {shape[0], r}, ParamSpec::Init::kZero, 0);
      specs_.back().is_adapter = true;
      break;
    }
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      fail_usage(
          "lora_targets: no linear layer is called {} (there are c_attn, attn.c_proj, c_fc, mlp.c_proj)",
          adaptation_.lora_targets[i]);
    }
  }
}

void GptParams::freeze() {
  std::vector<bool> used(adaptation_.freeze.size());
  bool any_trainable = false;
  for (ParamSpec& spec : specs_) {
    if (adaptation_.lora_rank > 0 && !spec.is_adapter) spec.trainable = false;
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (!matches(adaptation_.freeze[i], spec.name)) continue;
      used[i] = true;
      spec.trainable = false;
    }
    any_trainable = any_trainable || spec.trainable;
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      fail_usage("freeze: no parameter matches '{}' (names look like {})", adaptation_.freeze[i],
                 specs_[specs_.size() / 2].name);
    }
  }
  if (!any_trainable) fail_usage("freeze leaves nothing to train");
}

void GptParams::place() {
  for (const bool trainable : {true, false}) {
    for (ParamSpec& spec : specs_) {
      if (spec.trainable != trainable) continue;
      spec.offset = arena_elements_;
      arena_elements_ += round_up(spec.numel());
    }
    if (trainable) trainable_elements_ = arena_elements_;
  }
}

void GptParams::add(std::string name, Shape shape, ParamSpec::Init init, double init_std) {
  ParamSpec spec;
  spec.init = init;
  spec.init_std = init_std;
  spec.decay = shape.rank() >= 2;
  spec.unpadded_shape = shape;
  spec.name = std::move(name);
  spec.shape = std::move(shape);
  specs_.push_back(std::move(spec));
}

const ParamSpec* GptParams::find_if_present(std::string_view name) const {
  const auto found = std::ranges::find(specs_, name, &ParamSpec::name);
  return found == specs_.end() ? nullptr : &*found;
}

const ParamSpec& GptParams::find(std::string_view name) const {
  const ParamSpec* spec = find_if_present(name);
  VKGPT_CHECK(spec != nullptr, "no parameter {}", name);
  return *spec;
}

std::int64_t GptParams::parameter_count() const {
  std::int64_t count = 0;
  for (const ParamSpec& spec : specs_) {
    if (!spec.is_adapter) count += spec.unpadded_shape.numel();
  }
  return count;
}

std::int64_t GptParams::trainable_count() const {
  std::int64_t count = 0;
  for (const ParamSpec& spec : specs_) {
    if (spec.trainable) count += spec.unpadded_shape.numel();
  }
  return count;
}

namespace {

/// The first `elements` of the arena, which end with a parameter.
std::vector<float> initial_values(const GptParams& params, std::uint64_t seed, std::int64_t elements) {
  std::vector<float> arena(static_cast<std::size_t>(elements), 0.0f);
  for (std::size_t tensor = 0; tensor < params.specs().size(); ++tensor) {
    const ParamSpec& spec = params.specs()[tensor];
    if (spec.offset >= elements) continue;
    const std::span<float> values = part(arena, spec);
    if (spec.init == ParamSpec::Init::kOne) std::ranges::fill(values, 1.0f);
    if (spec.init != ParamSpec::Init::kNormal) continue;
    // The padding rows of a vocabulary matrix come last and stay zero.
    const RngStream stream{
        .seed = seed, .purpose = RngPurpose::kInit, .sub = static_cast<std::uint32_t>(tensor)};
    fill_normal(stream, values.first(static_cast<std::size_t>(spec.unpadded_shape.numel())), 0,
                spec.init_std);
  }
  return arena;
}

}  // namespace

std::vector<float> initial_parameters(const GptParams& params, std::uint64_t seed) {
  return initial_values(params, seed, params.arena_elements());
}

std::vector<float> initial_trainable(const GptParams& params, std::uint64_t seed) {
  return initial_values(params, seed, params.trainable_elements());
}

void merge_adapters(const GptParams& params, std::span<float> arena) {
  for (const ParamSpec& spec : params.specs()) {
    if (spec.is_adapter || !spec.name.ends_with(".weight")) continue;
    const std::string module = spec.name.substr(0, spec.name.rfind('.'));
    const ParamSpec* a = params.find_if_present(module + std::string(kAdapterA));
    if (a == nullptr) continue;
    const std::span<const float> A = part(arena, *a);                                            // (r, in)
    const std::span<const float> B = part(arena, params.find(module + std::string(kAdapterB)));  // (out, r)
    const std::span<float> weight = part(arena, spec);                                           // (out, in)
    const auto rank = static_cast<std::size_t>(a->shape[0]);
    const auto in = static_cast<std::size_t>(a->shape[1]);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      double sum = 0;
      for (std::size_t r = 0; r < rank; ++r) {
        sum += static_cast<double>(B[i / in * rank + r]) * static_cast<double>(A[r * in + i % in]);
      }
      weight[i] = static_cast<float>(weight[i] + params.adaptation().lora_scale() * sum);
    }
  }
}

std::vector<float> rearrange(const GptParams& from, std::span<const float> arena, const GptParams& to) {
  std::vector<float> moved(static_cast<std::size_t>(to.arena_elements()), 0.0f);
  for (const ParamSpec& spec : to.specs()) {
    const ParamSpec* source = from.find_if_present(spec.name);
    if (source == nullptr) continue;
    VKGPT_CHECK(source->shape == spec.shape || is_shorter(spec, *source), "{}", spec.name);
    std::ranges::copy(
        arena.subspan(static_cast<std::size_t>(source->offset), static_cast<std::size_t>(spec.numel())),
        moved.begin() + spec.offset);
  }
  return moved;
}

}  // namespace vkgpt::model
