#include "cli/command/aliases.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::string_view kCompiled =
    "every step is a recording that is replayed: nothing is left to compile";
constexpr std::string_view kFlash = "attention never stores its scores: it is always of the flash kind";
constexpr std::string_view kLogs =
    "metrics.jsonl, metrics.csv and TensorBoard events lie in the run directory";
constexpr std::string_view kMapped =
    "token files and prepared data always stay on the disk; a text is encoded once at the start";
constexpr std::string_view kSaved = "a better validation loss is always saved, and every save_interval steps";

constexpr auto kAliases = std::to_array<Alias>({
    // Shapes
    {.name = "d_model", .key = "n_embd"},
    {.name = "n_layers", .key = "n_layer"},
    {.name = "num_layers", .key = "n_layer"},
    {.name = "n_heads", .key = "n_head"},
    {.name = "num_heads", .key = "n_head"},
    {.name = "n_kv_heads", .key = "n_kv_head"},
    {.name = "d_ff", .key = "n_inner"},
    {.name = "seq_len", .key = "block_size"},
    {.name = "context_length", .key = "block_size"},
    {.name = "max_seq_len", .key = "block_size", .weak = true},
    {.name = "plan_vocab_size", .key = "vocab_size"},
    // Architecture
    {.name = "use_rope", .value = "true", .key = "pos_encoding", .to = "rope"},
    {.name = "use_rope", .value = "false", .key = "pos_encoding", .to = "learned"},
    {.name = "use_rmsnorm", .value = "true", .key = "norm", .to = "rmsnorm"},
    {.name = "use_rmsnorm", .value = "false", .key = "norm", .to = "layernorm"},
    {.name = "use_swiglu", .value = "true", .key = "mlp", .to = "swiglu"},
    {.name = "use_swiglu", .value = "false", .key = "mlp", .to = "gelu"},
    {.name = "use_qk_norm", .key = "qk_norm"},
    {.name = "tie_embeddings", .key = "tie_weights"},
    // Execution
    {.name = "use_flash", .value = "true"},
    {.name = "use_flash", .value = "false", .note = kFlash},
    {.name = "compile", .value = "true", .note = kCompiled},
    {.name = "compile", .value = "false"},
    {.name = "amp", .value = "true", .key = "amp", .to = "auto"},
    {.name = "amp", .value = "false", .key = "amp", .to = "off"},
    {.name = "use_mixed_precision", .value = "true", .key = "amp", .to = "auto"},
    {.name = "use_mixed_precision", .value = "false", .key = "amp", .to = "off"},
    {.name = "dtype", .value = "float32", .key = "amp", .to = "off"},
    {.name = "dtype", .value = "float16", .key = "amp", .to = "fp16"},
    {.name = "dtype", .value = "bfloat16", .key = "amp", .to = "bf16"},
    {.name = "device", .value = "cuda"},
    {.name = "device", .value = "cuda:0"},
    {.name = "device", .value = "gpu"},
    {.name = "device", .value = "auto"},
    {.name = "device", .value = "cpu", .key = "device", .to = "llvmpipe"},
    {.name = "backend", .value = "nccl"},
    // Steps, optimizer and schedule
    {.name = "max_iters", .key = "max_steps"},
    {.name = "lr", .key = "learning_rate"},
    {.name = "lr_decay_iters", .key = "lr_decay_steps"},
    {.name = "warmup_iters", .key = "warmup_steps"},
    {.name = "decay_lr", .value = "true", .key = "lr_schedule", .to = "cosine"},
    {.name = "decay_lr", .value = "false", .key = "lr_schedule", .to = "constant"},
    {.name = "gradient_accumulation_steps", .key = "grad_accum_steps"},
    {.name = "gradient_clip", .key = "grad_clip"},
    {.name = "optimizer", .value = "adamw8bit", .key = "optimizer", .to = "adamw8"},
    {.name = "optimizer", .value = "adamw_8bit", .key = "optimizer", .to = "adamw8"},
    {.name = "optimizer", .value = "adam", .key = "optimizer", .to = "adamw"},
    // Data, reports and checkpoints
    {.name = "memmap_dataset", .value = "true", .note = kMapped},
    {.name = "memmap_dataset", .value = "false"},
    {.name = "output_dir", .key = "out_dir"},
    {.name = "eval_every", .key = "eval_interval"},
    {.name = "save_every", .key = "save_interval"},
    {.name = "log_every", .key = "log_interval"},
    {.name = "init_from", .value = "scratch"},
    {.name = "init_from", .value = "resume", .key = "resume", .to = "true"},
    {.name = "always_save_checkpoint", .value = "true", .note = kSaved},
    {.name = "always_save_checkpoint", .value = "false"},
    {.name = "wandb_log", .value = "true", .note = kLogs},
    {.name = "wandb_log", .value = "false"},
    {.name = "wandb_project"},
    {.name = "wandb_run_name"},
});

bool same_value(std::string_view a, std::string_view b) {
  bool left = false;
  bool right = false;
  return a == b || (parse_bool(a, left) && parse_bool(b, right) && left == right);
}

/// The values that the lines of `name` know: "true|false".
std::string known_values(std::string_view name) {
  std::string text;
  for (const Alias& alias : kAliases) {
    if (alias.name == name) text += vkgpt::format("{}{}", text.empty() ? "" : "|", alias.value);
  }
  return text;
}

const Alias* find_line(const Setting& setting) {
  const auto found = std::ranges::find_if(kAliases, [&](const Alias& alias) {
    return alias.name == setting.key && (alias.value.empty() || same_value(setting.text, alias.value));
  });
  return found == kAliases.end() ? nullptr : &*found;
}

bool is_known(std::string_view name) {
  return std::ranges::find(kAliases, name, &Alias::name) != kAliases.end();
}

}  // namespace

std::span<const Alias> aliases() {
  return kAliases;
}

bool is_alias(const FieldSet& fields, std::string_view name) {
  return std::ranges::any_of(kAliases, [&](const Alias& alias) {
    return alias.name == name && (alias.key.empty() || fields.find(alias.key) != nullptr);
  });
}

bool is_switch(std::string_view name) {
  return std::ranges::any_of(kAliases,
                             [&](const Alias& alias) { return alias.name == name && alias.value == "true"; });
}

bool means_boolean(const FieldSet& fields, std::string_view name) {
  return std::ranges::any_of(kAliases, [&](const Alias& alias) {
    const Field* const field = alias.name == name && alias.to.empty() ? fields.find(alias.key) : nullptr;
    return field != nullptr && field->is_bool();
  });
}

std::optional<Setting> translate(const FieldSet& fields, Setting setting) {
  const Alias* const alias = find_line(setting);
  const bool is_ours = fields.find(setting.key) != nullptr;
  if (alias == nullptr) {
    if (is_ours || !is_known(setting.key)) return setting;
    fail_usage("{} = '{}'{}: expected one of {}",
               setting.origin == SettingOrigin::kFlag ? setting.where : setting.key, printable(setting.text),
               setting.origin == SettingOrigin::kFlag ? "" : " in " + setting.where,
               known_values(setting.key));
  }
  if (!alias->key.empty()) {
    if (fields.find(alias->key) == nullptr) return setting;
    setting.key = alias->key;
    if (!alias->to.empty()) setting.text = alias->to;
    return setting;
  }
  if (!alias->note.empty()) log_info("{}: {}", setting.key, alias->note);
  return std::nullopt;
}

std::vector<Setting> translate_all(const FieldSet& fields, std::span<const Setting> settings) {
  std::vector<Setting> translated;
  std::vector<const Setting*> sources;
  const auto is_weak = [](const Setting& source) {
    const Alias* const alias = find_line(source);
    return alias != nullptr && alias->weak;
  };
  for (const Setting& source : settings) {
    std::optional<Setting> setting = translate(fields, source);
    if (!setting) continue;
    const auto earlier = std::ranges::find(translated, setting->key, &Setting::key);
    if (earlier == translated.end()) {
      translated.push_back(*std::move(setting));
      sources.push_back(&source);
      continue;
    }
    const auto index = static_cast<std::size_t>(earlier - translated.begin());
    if (is_weak(source)) continue;
    if (is_weak(*sources[index])) {
      *earlier = *std::move(setting);
      sources[index] = &source;
    } else if (earlier->text != setting->text) {
      fail_usage("'{}' = '{}' and '{}' = '{}' in {} mean the same setting: keep one", sources[index]->key,
                 printable(sources[index]->text), source.key, printable(source.text), source.where);
    }
  }
  return translated;
}

}  // namespace vkgpt::cli
