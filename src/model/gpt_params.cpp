#include "vkgpt/model/gpt_params.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::model {
namespace {

constexpr double kInitStd = 0.02;

bool is_conv1d(std::string_view name) {
  return name.ends_with(".c_attn.weight") || name.ends_with(".c_proj.weight") ||
         name.ends_with(".c_fc.weight");
}

}  // namespace

GptParams::GptParams(const GptConfig& config) {
  VKGPT_CHECK(config.vocab_size > 0, "the vocabulary is not known yet");
  using Init = ParamSpec::Init;
  const std::int64_t V = config.vocab_size;
  const std::int64_t Vp = config.padded_vocab_size();
  const std::int64_t C = config.n_embd;
  const double residual_std = kInitStd / std::sqrt(2.0 * static_cast<double>(config.n_layer));
  const auto add_vocabulary_matrix = [&](std::string name) {
    add(std::move(name), {Vp, C}, Init::kNormal, kInitStd);
    specs_.back().disk_shape = {V, C};
  };
  const std::int64_t F = config.inner_width();
  const auto add_norm = [&](const std::string& name) {
    add(name + ".weight", {C}, Init::kOne, 0);
    if (config.bias && !config.has_rms_norm()) add(name + ".bias", {C}, Init::kZero, 0);
  };
  const auto add_linear = [&](const std::string& name, std::int64_t out, std::int64_t in, double init_std) {
    add(name + ".weight", {out, in}, Init::kNormal, init_std);
    if (config.bias) add(name + ".bias", {out}, Init::kZero, 0);
  };

  add_vocabulary_matrix("wte.weight");
  if (!config.has_rope()) add("wpe.weight", {config.block_size, C}, Init::kNormal, kInitStd);
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    const std::string h = "h." + std::to_string(layer);
    add_norm(h + ".ln_1");
    add_linear(h + ".attn.c_attn", config.qkv_width(), C, kInitStd);
    if (config.qk_norm) {
      add(h + ".attn.q_norm.weight", {config.head_size()}, Init::kOne, 0);
      add(h + ".attn.k_norm.weight", {config.head_size()}, Init::kOne, 0);
    }
    add_linear(h + ".attn.c_proj", C, C, residual_std);
    if (!config.parallel_blocks) add_norm(h + ".ln_2");
    // SwiGLU's rows: the gate's, then those that it gates.
    add_linear(h + ".mlp.c_fc", config.has_swiglu() ? 2 * F : F, C, kInitStd);
    add_linear(h + ".mlp.c_proj", C, F, residual_std);
  }
  add_norm("ln_f");
  if (!config.tie_weights) add_vocabulary_matrix("lm_head.weight");
}

void GptParams::add(std::string name, Shape shape, ParamSpec::Init init, double init_std) {
  ParamSpec spec;
  spec.offset = arena_elements_;
  spec.init = init;
  spec.init_std = init_std;
  spec.decay = shape.rank() >= 2;
  spec.transposed_on_disk = is_conv1d(name);
  spec.disk_shape = spec.transposed_on_disk ? Shape{shape[1], shape[0]} : shape;
  spec.name = std::move(name);
  arena_elements_ += (shape.numel() + kAlignment - 1) / kAlignment * kAlignment;
  spec.shape = std::move(shape);
  specs_.push_back(std::move(spec));
}

const ParamSpec& GptParams::find(std::string_view name) const {
  const auto found = std::ranges::find(specs_, name, &ParamSpec::name);
  VKGPT_CHECK(found != specs_.end(), "no parameter {}", name);
  return *found;
}

std::int64_t GptParams::parameter_count() const {
  std::int64_t count = 0;
  for (const ParamSpec& spec : specs_) count += spec.disk_shape.numel();
  return count;
}

plan::Tensor GptParams::view(plan::PlanBuilder& builder, const plan::Tensor& arena,
                             std::string_view name) const {
  const ParamSpec& spec = find(name);
  return builder.view(arena, spec.offset, spec.shape);
}

std::vector<float> initial_parameters(const GptParams& params, std::uint64_t seed) {
  std::vector<float> arena(static_cast<std::size_t>(params.arena_elements()), 0.0f);
  for (std::size_t tensor = 0; tensor < params.specs().size(); ++tensor) {
    const ParamSpec& spec = params.specs()[tensor];
    const auto values = std::span(arena).subspan(static_cast<std::size_t>(spec.offset),
                                                 static_cast<std::size_t>(spec.shape.numel()));
    if (spec.init == ParamSpec::Init::kOne) std::ranges::fill(values, 1.0f);
    if (spec.init != ParamSpec::Init::kNormal) continue;
    // The padding rows of a vocabulary matrix come last and stay zero.
    const RngStream stream{
        .seed = seed, .purpose = RngPurpose::kInit, .sub = static_cast<std::uint32_t>(tensor)};
    fill_normal(stream, values.first(static_cast<std::size_t>(spec.disk_shape.numel())), 0, spec.init_std);
  }
  return arena;
}

void to_disk_layout(const ParamSpec& spec, std::span<const float> arena, std::span<float> disk) {
  VKGPT_CHECK(disk.size() == static_cast<std::size_t>(spec.disk_shape.numel()), "{}", spec.name);
  if (!spec.transposed_on_disk) {
    std::copy_n(arena.begin(), disk.size(), disk.begin());
    return;
  }
  const auto out = static_cast<std::size_t>(spec.shape[0]);
  const auto in = static_cast<std::size_t>(spec.shape[1]);
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < in; ++i) disk[i * out + o] = arena[o * in + i];
  }
}

void from_disk_layout(const ParamSpec& spec, std::span<const float> disk, std::span<float> arena) {
  VKGPT_CHECK(disk.size() == static_cast<std::size_t>(spec.disk_shape.numel()), "{}", spec.name);
  if (!spec.transposed_on_disk) {
    std::ranges::copy(disk, arena.begin());
    return;
  }
  const auto out = static_cast<std::size_t>(spec.shape[0]);
  const auto in = static_cast<std::size_t>(spec.shape[1]);
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < in; ++i) arena[o * in + i] = disk[i * out + o];
  }
}

}  // namespace vkgpt::model
