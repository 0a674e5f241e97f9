#include "cli/command/presets.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

// GPT-2: Radford et al. 2019; learning rates of the same sizes in Brown et al. 2020, table 2.1. nano-char:
// nanoGPT's shakespeare_char. SmolLM2: the public models' config.json.
constexpr auto kPresets = std::to_array<Preset>({
    {.name = "tinygpt",
     .summary = "minutes on a CPU",
     .vocab_size = 65,
     .settings = "n_layer=4 n_head=4 n_embd=128 block_size=128 batch_size=16 max_steps=1000 "
                 "learning_rate=3e-3 warmup_steps=50"},
    {.name = "nano-char",
     .summary = "nanoGPT's character model of Shakespeare",
     .vocab_size = 65,
     .settings = "n_layer=6 n_head=6 n_embd=384 block_size=256 bias=false dropout=0.2 batch_size=64 "
                 "max_steps=5000 learning_rate=1e-3 warmup_steps=100 beta2=0.99"},
    {.name = "llama-tiny",
     .summary = "LLaMA's architecture, small",
     .vocab_size = 65,
     .settings = "n_layer=6 n_head=6 n_kv_head=2 n_embd=192 block_size=256 norm=rmsnorm mlp=swiglu "
                 "pos_encoding=rope bias=false batch_size=16 max_steps=2000 learning_rate=2e-3 "
                 "warmup_steps=100"},
    {.name = "gpt2",
     .summary = "GPT-2 small",
     .vocab_size = 50257,
     .settings = "n_layer=12 n_head=12 n_embd=768 block_size=1024 batch_size=8 learning_rate=6e-4 "
                 "warmup_steps=700 beta2=0.95"},
    {.name = "gpt2-medium",
     .summary = "GPT-2 medium",
     .vocab_size = 50257,
     .settings = "n_layer=24 n_head=16 n_embd=1024 block_size=1024 batch_size=8 learning_rate=3e-4 "
                 "warmup_steps=700 beta2=0.95"},
    {.name = "gpt2-large",
     .summary = "GPT-2 large",
     .vocab_size = 50257,
     .settings = "n_layer=36 n_head=20 n_embd=1280 block_size=1024 batch_size=4 learning_rate=2.5e-4 "
                 "warmup_steps=700 beta2=0.95"},
    {.name = "gpt2-xl",
     .summary = "GPT-2 XL",
     .vocab_size = 50257,
     .settings = "n_layer=48 n_head=25 n_embd=1600 block_size=1024 batch_size=2 learning_rate=2e-4 "
                 "warmup_steps=700 beta2=0.95"},
    {.name = "smollm2-135m",
     .summary = "SmolLM2 135M",
     .vocab_size = 49152,
     .settings = "n_layer=30 n_head=9 n_kv_head=3 n_embd=576 n_inner=1536 block_size=2048 norm=rmsnorm "
                 "mlp=swiglu pos_encoding=rope rope_theta=100000 bias=false tie_weights=true "
                 "layer_norm_eps=1e-5 batch_size=4 learning_rate=3e-3 warmup_steps=700 "
                 "beta2=0.95"},
    {.name = "smollm2-360m",
     .summary = "SmolLM2 360M",
     .vocab_size = 49152,
     .settings = "n_layer=32 n_head=15 n_kv_head=5 n_embd=960 n_inner=2560 block_size=2048 norm=rmsnorm "
                 "mlp=swiglu pos_encoding=rope rope_theta=100000 bias=false tie_weights=true "
                 "layer_norm_eps=1e-5 batch_size=4 learning_rate=2e-3 warmup_steps=700 "
                 "beta2=0.95"},
});

}  // namespace

std::span<const Preset> presets() {
  return kPresets;
}

const Preset& find_preset(std::string_view name) {
  const auto found = std::ranges::find(kPresets, name, &Preset::name);
  if (found != kPresets.end()) return *found;
  std::vector<std::string> known;
  for (const Preset& preset : kPresets) known.emplace_back(preset.name);
  const std::string nearest = nearest_word(std::string(name), known);
  fail_usage("there is no preset '{}'{}", printable(name),
             nearest.empty() ? ": 'vkgpt plan --presets' lists them"
                             : vkgpt::format(": did you mean '{}'?", nearest));
}

std::vector<Setting> preset_settings(const Preset& preset) {
  std::vector<Setting> settings;
  std::string_view rest = preset.settings;
  while (!rest.empty()) {
    const std::size_t space = rest.find(' ');
    const std::string_view word = rest.substr(0, space);
    const std::size_t equals = word.find('=');
    VKGPT_CHECK(equals != std::string_view::npos, "'{}' in preset {}", word, preset.name);
    settings.push_back({.key = std::string(word.substr(0, equals)),
                        .text = std::string(word.substr(equals + 1)),
                        .origin = SettingOrigin::kConfigFile,
                        .where = vkgpt::format("preset {}", preset.name)});
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  }
  return settings;
}

std::int64_t vocabulary_of(const PresetOptions& options) {
  constexpr std::int64_t kCharacters = 65;
  return options.preset.empty() ? kCharacters : find_preset(options.preset).vocab_size;
}

}  // namespace vkgpt::cli
