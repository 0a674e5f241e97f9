#include "vkgpt/train/plan_options.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/plan/bucket_planner.hpp"
#include "vkgpt/plan/limits.hpp"
#include "vkgpt/plan/taps.hpp"
#include "vkgpt/vk/glsl_support.hpp"

namespace vkgpt::train {
namespace {

constexpr double kUsableMemory = 0.9;
constexpr std::int64_t kMaxBatch = 4096;

/// The parts of `text` between commas, without spaces around them.
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

model::GradCheckpoint grad_checkpoint(const TrainConfig& config) {
  const bool is_auto = config.grad_checkpoint == "auto";
  if (config.grad_checkpoint == "block" || (is_auto && (config.base_dtype != "f32" || config.offloads()))) {
    return model::GradCheckpoint::kBlock;
  }
  if (config.grad_checkpoint == "attention") return model::GradCheckpoint::kAttention;
  return model::GradCheckpoint::kNone;
}

bool has_matrices(const vk::DeviceCaps& caps, DType dtype) {
  return ops::has_backend(caps, vk::Backend::kKhr, dtype) || ops::has_backend(caps, vk::Backend::kNv, dtype);
}

vk::Backend first_backend(const vk::Target& target, DType dtype) {
  return ops::backend_order(target, "matmul", dtype).front();
}

bool on_matrices(vk::Backend backend) {
  return backend == vk::Backend::kKhr || backend == vk::Backend::kNv;
}

std::string bf16_notice(const vk::Target& target) {
  std::string text = vkgpt::format("--amp bf16 on {}: matrix products by {}", target.caps.name,
                                   vk::backend_name(first_backend(target, DType::kBF16)));
  if (!has_matrices(target.caps, DType::kBF16) && has_matrices(target.caps, DType::kF16)) {
    text += vkgpt::format(" ({}); --amp fp16 would take {}",
                          vk::compiles_bfloat16() ? "the device has no bf16 matrices"
                                                  : "this program's shader compiler knows no bfloat16",
                          vk::backend_name(first_backend(target, DType::kF16)));
  }
  return text;
}

std::string unused_matrices(const TrainConfig& config, const vk::Target& target) {
  const DType dtype = activation_dtype(config, target.caps);
  const bool has_any = has_matrices(target.caps, DType::kF16) || has_matrices(target.caps, DType::kBF16);
  if (target.caps.is_cpu() || !has_any || target.kernels.forced("matmul") ||
      on_matrices(first_backend(target, dtype))) {
    return "";
  }
  const bool is_allowed = target.kernels.allows("matmul", vk::Backend::kKhr);
  return vkgpt::format("{} has matrix units, which this run does not use: {}", target.caps.name,
                       dtype == DType::kF32 ? "they take 16-bit values (--amp auto)"
                       : !is_allowed        ? "the self-test found their kernels wrong ('vkgpt devices')"
                                            : "products are faster without them there");
}

std::string old_cpu_driver(const vk::DeviceCaps& caps) {
  // Since Mesa 26 kernels read by address there.
  if (!caps.driver.starts_with("llvmpipe") || caps.buffer_device_address) return "";
  return vkgpt::format(
      "{} trains two to three times slower than the CPU driver of Mesa 26, which "
      "tools/install_deps.sh gets (README.md)",
      caps.driver);
}

}  // namespace

model::OptimizerKind optimizer_kind(const TrainConfig& config) {
  if (config.optimizer == "adamw8") return model::OptimizerKind::kAdamW8;
  if (config.optimizer == "lion") return model::OptimizerKind::kLion;
  if (config.optimizer == "muon") return model::OptimizerKind::kMuon;
  return model::OptimizerKind::kAdamW;
}

model::RankOptions rank_options(const TrainConfig& config, int rank, int size) {
  if (config.is_diloco() || (size == 1 && config.sum_order == "rank")) return {};
  return {.rank = rank,
          .size = size,
          .bf16_wire = config.wire == "bf16",
          .bucket_elements = static_cast<std::int64_t>(config.bucket_mib * (1 << 20) / sizeof(float))};
}

model::Adaptation adaptation(const TrainConfig& config) {
  model::Adaptation adaptation;
  adaptation.freeze = split_list(config.freeze);
  if (config.lora_rank > 0) {
    adaptation.lora_rank = config.lora_rank;
    adaptation.lora_alpha = config.lora_alpha;
    if (config.lora_rank_stabilized)
      adaptation.lora_alpha *= std::sqrt(static_cast<double>(config.lora_rank));
    adaptation.lora_targets = split_list(config.lora_targets);
  }
  return adaptation;
}

DType activation_dtype(const TrainConfig& config, const vk::DeviceCaps& caps) {
  if (config.amp == "off") return DType::kF32;
  if (config.amp == "auto") {
    if (!caps.storage_16bit) return DType::kF32;
    // The type whose products are on matrices; of two alike, the one that needs no loss scale.
    if (caps.shader_bf16 && (has_matrices(caps, DType::kBF16) || !has_matrices(caps, DType::kF16))) {
      return DType::kBF16;
    }
    return caps.shader_f16 ? DType::kF16 : DType::kF32;
  }
  if (!caps.storage_16bit) {
    fail("--amp {} needs 16-bit values in buffers, which {} lacks: use --amp off", config.amp, caps.name);
  }
  return config.amp == "bf16" ? DType::kBF16 : DType::kF16;
}

std::string speed_notice(const TrainConfig& config, const vk::Target& target) {
  if (std::string notice = old_cpu_driver(target.caps); !notice.empty()) return notice;
  return config.amp == "bf16" ? bf16_notice(target) : unused_matrices(config, target);
}

std::int64_t pairs_per_window(std::int64_t T) {
  constexpr std::int64_t kShortestPair = 16;
  return std::max<std::int64_t>(1, T / kShortestPair);
}

model::Preference preference(const TrainConfig& config, std::int64_t T) {
  if (!config.is_dpo()) return {};
  return {.beta = config.dpo_beta,
          .label_smoothing = config.dpo_label_smoothing,
          .pairs = config.batch_size * pairs_per_window(T)};
}

plan::Schedule train_schedule(const model::GptParams& params, const TrainConfig& config, std::int64_t T,
                              const vk::Target& target, bool tapped, const model::RankOptions& ranks) {
  const model::TrainPlanOptions options{.batch_size = config.batch_size,
                                        .sequence_length = T,
                                        .grad_accum_steps = config.grad_accum_steps,
                                        .optimizer = optimizer_kind(config),
                                        .beta1 = config.beta1,
                                        .beta2 = config.beta2,
                                        .adam_eps = config.adam_eps,
                                        .weight_decay = config.weight_decay,
                                        .grad_clip = config.grad_clip,
                                        .muon_momentum = config.muon_momentum,
                                        .muon_steps = config.muon_steps,
                                        .activation_dtype = activation_dtype(config, target.caps),
                                        .grad_checkpoint = grad_checkpoint(config),
                                        .offload = config.offloads(),
                                        .documents = config.pack == "documents" || config.is_dpo(),
                                        .dropout = config.dropout,
                                        .label_smoothing = config.label_smoothing,
                                        .z_loss = config.z_loss,
                                        .ema_decay = config.ema ? config.ema_decay : 0,
                                        .ranks = ranks};
  const model::FrozenBase base{.blocks = find_block_type(config.base_dtype),
                               .lora_dropout = config.lora_dropout};
  plan::Plan plan = model::build_train_plan(params, options, target, base, preference(config, T));
  std::map<std::string, std::vector<plan::Cut>, std::less<>> cuts;
  for (const bool is_first : {true, false}) {
    if (!is_first && config.grad_accum_steps == 1) continue;
    const char* micro_step = model::segment::micro_step(is_first);
    if (tapped) {
      plan = plan::add_taps(plan, target.caps, model::activation_taps(params.config(), micro_step));
    }
    if (ranks.size == 0) continue;
    const char* sends = model::segment::micro_step(is_first, true);
    cuts.emplace(sends, plan::add_sends(plan, micro_step, model::segment::kPack, sends));
  }
  plan::Schedule schedule = plan::make_schedule(std::move(plan), target.caps);
  schedule.cuts = std::move(cuts);
  return schedule;
}

std::int64_t resolve_batch_size(const model::GptParams& params, const TrainConfig& config,
                                const vk::Target& target, const model::RankOptions& ranks) {
  if (config.batch_size > 0) return config.batch_size;
  const vk::DeviceCaps& caps = target.caps;
  const std::uint64_t free = caps.heap_budget_bytes > 0 ? caps.heap_budget_bytes : caps.heap_bytes;
  VKGPT_CHECK(free > 0, "{} does not say how much memory it has", caps.name);
  const auto budget = static_cast<std::uint64_t>(kUsableMemory * static_cast<double>(free));
  TrainConfig trial = config;
  const auto fits = [&](std::int64_t batch_size) {
    trial.batch_size = batch_size;
    try {
      const plan::Schedule schedule =
          train_schedule(params, trial, params.config().block_size, target, false, ranks);
      return schedule.memory.total_bytes() <= budget;
    } catch (const plan::TooLarge&) {
      return false;
    }
  };
  if (!fits(1)) {
    fail(
        "not even one sequence fits the {} that are free on {}: use --grad_checkpoint block, --amp, a "
        "smaller "
        "block_size or a smaller model",
        format_bytes(free), caps.name);
  }
  std::int64_t good = 1;
  while (good < kMaxBatch && fits(2 * good)) good *= 2;
  for (std::int64_t step = good / 2; step > 0 && good < kMaxBatch; step /= 2) {
    if (fits(good + step)) good += step;
  }
  return good;
}

}  // namespace vkgpt::train
