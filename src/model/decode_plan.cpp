#include "vkgpt/model/decode_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/held_weights.hpp"
#include "vkgpt/model/tensor_encoding.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/ops/attention/attention.hpp"
#include "vkgpt/ops/attention/rope.hpp"
#include "vkgpt/ops/copy.hpp"
#include "vkgpt/ops/embedding.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/ops/row_select.hpp"
#include "vkgpt/ops/sample.hpp"
#include "vkgpt/ops/softcap.hpp"

#include "model/arena.hpp"
#include "model/gpt_block.hpp"
#include "model/linear.hpp"
#include "model/stacked_adapters.hpp"

namespace vkgpt::model {

namespace decode {

std::vector<std::int64_t> step_rows(const DecodeOptions& options) {
  const std::int64_t most = std::min(options.slots, kMostRows);
  std::vector<std::int64_t> counts;
  for (std::int64_t rows = 1; rows < most; rows *= 2) counts.push_back(rows);
  counts.push_back(most);
  return counts;
}

std::string step_segment(std::int64_t rows) {
  return "decode_" + std::to_string(rows);
}

std::vector<std::int64_t> run_rows(const GptConfig& config) {
  constexpr std::int64_t kMost = 256;
  const std::int64_t most = std::min((config.block_size + 3) / 4 * 4, kMost);
  std::vector<std::int64_t> counts;
  for (std::int64_t rows = 16; rows < most; rows *= 4) counts.push_back(rows);
  counts.push_back(most);
  return counts;
}

std::string run_segment(std::int64_t rows) {
  return "prefill_" + std::to_string(rows);
}

std::string logits_segment(std::int64_t rows) {
  return "logits_" + std::to_string(rows);
}

DType cache_dtype(const DecodeOptions& options, const vk::DeviceCaps& caps) {
  const bool halves = options.blocks && caps.storage_16bit && !caps.is_cpu();
  return options.cache.value_or(halves ? DType::kF16 : options.dtype);
}

bool draws(const DecodeOptions& options, const vk::DeviceCaps& caps) {
  return options.draws.value_or(!caps.is_cpu());
}

}  // namespace decode

namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

/// What upload_decode_params calls the copy of the parameters in another type than f32.
constexpr const char* kMatrices = "decode_matrices";

struct Cache {
  Tensor k;  // (slots, NKV, T, HS)
  Tensor v;  // (slots, NKV, T, HS)
};

/// f32 in one arena as in training; else a copy in that type, and those that are read in f32 one by one; in
/// blocks all one by one.
ParamTensors::Arenas arenas_of(PlanBuilder& builder, const GptParams& params, const DecodeOptions& options,
                               std::span<const Adapter> adapters) {
  const DType dtype = options.dtype;
  const std::optional<BlockType>& blocks = options.blocks;
  if (blocks) {
    ParamTensors::Arenas arenas{.blocks = blocks, .adapters = adapters};
    if (params.adaptation().lora_rank > 0) {  // adapters in training, beside their base
      arenas.values = arena(builder, params, tensor::kParams, params.trainable_elements(), Role::kParameters);
    }
    return arenas;
  }
  const std::int64_t all = params.arena_elements();
  if (dtype == DType::kF32) {
    return {.values = arena(builder, params, tensor::kParams, all, Role::kParameters), .adapters = adapters};
  }
  return {.matrices = arena(builder, params, kMatrices, all, Role::kParameters, dtype),
          .adapters = adapters,
          .adapter_dtype = dtype};
}

class DecodePlanWriter {
 public:
  DecodePlanWriter(PlanBuilder& builder, const GptParams& params, const DecodeOptions& options,
                   std::span<const Adapter> adapters)
      : builder_(builder),
        config_(params.config()),
        params_(builder, params, arenas_of(builder, params, options, adapters)),
        options_{.config = config_,
                 .dtype = options.dtype,
                 .lora = {.scale = params.adaptation().lora_rank > 0 ? params.adaptation().lora_scale() : 0},
                 .by_rows = ops::ByRows::kFew} {
    const std::int64_t step_rows = decode::step_rows(options).back();
    const std::int64_t most_rows = std::max(step_rows, decode::run_rows(config_).back());
    tokens_ = builder.upload(decode::kTokens, {most_rows}, DType::kI32);
    places_ = builder.upload(decode::kPlaces, {most_rows, 2}, DType::kI32);
    if (!adapters.empty()) adapters_ = builder.upload(decode::kAdapters, {most_rows}, DType::kI32);
    host_logits_ = builder.readback(decode::kLogits, {step_rows, config_.padded_vocab_size()});
    logits_ = host_logits_;
    if (decode::draws(options, builder.caps())) {
      logits_ = builder.persistent("device_logits", host_logits_.shape, Role::kActivations);
      controls_ = builder.upload(decode::kControls, {step_rows, ops::kSampleControlWords}, DType::kU32);
      drawn_ = builder.readback(decode::kDrawn, {step_rows, 2}, DType::kU32);
    }
    const Shape shape{options.slots, config_.kv_heads(), config_.block_size, config_.head_size()};
    const DType cache_dtype = decode::cache_dtype(options, builder.caps());
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const std::string name = "h" + std::to_string(layer);
      caches_.push_back({builder.persistent(name + "/k_cache", shape, Role::kCache, cache_dtype),
                         builder.persistent(name + "/v_cache", shape, Role::kCache, cache_dtype)});
    }
  }

  void write_step(std::int64_t rows) {
    builder_.begin_segment(decode::step_segment(rows));
    write_head(write_rows(rows, false));
  }

  void write_run(std::int64_t rows) {
    builder_.begin_segment(decode::run_segment(rows));
    const Tensor y = write_rows(rows, true);
    const Tensor last = builder_.transient("last", {1, config_.n_embd}, y.dtype);
    ops::row_select_forward(builder_, builder_.view(y, 0, {1, rows, config_.n_embd}), last);
    write_head(last);
  }

  void write_logits(std::int64_t rows) {
    if (!drawn_) return;
    builder_.begin_segment(decode::logits_segment(rows));
    const Shape shape{rows, logits_.shape.back()};
    ops::copy(builder_, builder_.view(logits_, 0, shape), builder_.view(host_logits_, 0, shape));
  }

 private:
  /// The rows (rows, C) after all blocks and the last norm.
  Tensor write_rows(std::int64_t rows, bool is_run) {
    const Tensor tokens = builder_.view(tokens_, 0, {rows}), places = builder_.view(places_, 0, {rows, 2});
    const Tensor x = builder_.transient("embedding", {rows, config_.n_embd}, options_.dtype);
    ops::embedding_decode(builder_, {.tokens = tokens,
                                     .places = places,
                                     .wte = *params_.find_matrix("wte.weight"),
                                     .wpe = params_.find("wpe.weight"),
                                     .x = x,
                                     .scale = static_cast<float>(config_.embedding_scale)});
    Stream stream{x, {}};
    BlockOptions options = options_;
    if (is_run) options.by_rows = ops::ByRows::kMany;
    if (adapters_) options.lora.adapters = builder_.view(*adapters_, 0, {rows});
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const auto scope = builder_.scope("h" + std::to_string(layer));
      const Attend attend = [&](PlanBuilder&, const Tensor& qkv) {
        return Attended{.out = attend_to_cache(layer, qkv, places, is_run)};
      };
      stream = block_forward(builder_, params_.block(layer), stream, attend, options).out;
    }
    return stream_norm(builder_, params_.norm("ln_f"), stream, options_).y;
  }

  Tensor attend_to_cache(std::int64_t layer, const Tensor& qkv, const Tensor& places, bool is_run) {
    const Cache& cache = caches_[static_cast<std::size_t>(layer)];
    const std::int64_t n_head = config_.n_head, n_kv_head = config_.kv_heads();
    if (config_.layer_has_rope(layer)) {
      const Tensor table =
          ops::rope_table(builder_, config_.block_size, config_.head_size(), rope_angles(config_, layer));
      ops::rope_forward(
          builder_, {.qkv = qkv, .table = table, .n_head = n_head, .n_kv_head = n_kv_head, .places = places});
    }
    if (is_run) {
      ops::attention_cache_fill(builder_, {.qkv = qkv,
                                           .places = places,
                                           .k_cache = cache.k,
                                           .v_cache = cache.v,
                                           .n_head = n_head,
                                           .n_kv_head = n_kv_head});
    }
    const Tensor out = builder_.transient("out", with_width(qkv, config_.attention_width()), qkv.dtype);
    ops::attention_decode(builder_, {.qkv = qkv,
                                     .places = places,
                                     .k_cache = cache.k,
                                     .v_cache = cache.v,
                                     .out = out,
                                     .n_head = n_head,
                                     .n_kv_head = n_kv_head,
                                     .window = config_.layer_window(layer),
                                     .is_run = is_run});
    return out;
  }

  /// The logits of y (rows, C), and tokens that are drawn from them.
  void write_head(const Tensor& y) {
    const bool capped = config_.logit_softcap > 0;
    const std::int64_t rows = y.shape.rows();
    const Tensor logits = builder_.view(logits_, 0, {rows, logits_.shape.back()});
    const Tensor raw = capped ? builder_.transient("raw_logits", logits.shape) : logits;
    ops::linear_forward(builder_,
                        {.x = y, .weight = *params_.head(), .y = raw, .by_rows = ops::ByRows::kFew});
    if (capped) ops::softcap_forward(builder_, raw, logits, config_.logit_softcap);
    if (!drawn_) return;
    ops::sample(builder_, {.logits = logits,
                           .controls = builder_.view(*controls_, 0, {rows, ops::kSampleControlWords}),
                           .drawn = builder_.view(*drawn_, 0, {rows, 2}),
                           .V = config_.vocab_size});
  }

  PlanBuilder& builder_;
  const GptConfig& config_;
  ParamTensors params_;
  BlockOptions options_;
  Tensor tokens_;                   // (most rows) i32
  Tensor places_;                   // (most rows, 2) i32
  std::optional<Tensor> adapters_;  // (most rows) i32
  Tensor host_logits_;              // (most rows of a step, Vp)
  Tensor logits_;                   // the same, or beside them on the device
  std::optional<Tensor> controls_;  // (most rows of a step, words of a control) u32, where tokens are drawn
  std::optional<Tensor> drawn_;     // (most rows of a step, 2) u32, where tokens are drawn
  std::vector<Cache> caches_;
};

void check_cache_fits(const GptConfig& config, const vk::DeviceCaps& caps, const DecodeOptions& options) {
  const std::int64_t slot_bytes = config.kv_heads() * config.block_size * config.head_size() *
                                  dtype_size(decode::cache_dtype(options, caps));
  const std::int64_t most = ops::max_binding_bytes(caps) / slot_bytes;
  if (options.slots <= most) return;
  fail_usage(
      "{} sequences of {} tokens are more than {} binds at once: choose at most {} slots, or a shorter "
      "context",
      options.slots, config.block_size, caps.name, most);
}

}  // namespace

plan::Plan build_decode_plan(const GptParams& params, const vk::Target& target, const DecodeOptions& options,
                             std::span<const Adapter> adapters) {
  VKGPT_CHECK(options.slots > 0 && (options.dtype == DType::kF32 || options.dtype == DType::kF16),
              "{} slots of {}", options.slots, dtype_name(options.dtype));
  if (options.blocks) check_blocks(params, *options.blocks);
  check_cache_fits(params.config(), target.caps, options);
  PlanBuilder builder(target);
  DecodePlanWriter writer(builder, params, options, adapters);
  for (const std::int64_t rows : decode::run_rows(params.config())) writer.write_run(rows);
  for (const std::int64_t rows : decode::step_rows(options)) writer.write_step(rows);
  for (const std::int64_t rows : decode::step_rows(options)) writer.write_logits(rows);
  return std::move(builder).finish();
}

DecodeOptions decode_options(std::string_view dtype, std::int64_t slots) {
  if (dtype == "f16") return {.slots = slots, .dtype = DType::kF16};
  return {.slots = slots, .blocks = find_block_type(dtype)};
}

void upload_decode_params(plan::TensorStore& store, const GptParams& params, const ParamSource& source,
                          const DecodeOptions& options, std::span<const Adapter> adapters) {
  const DType dtype = options.dtype;
  upload_stacked(store, adapters, params, dtype);
  if (options.blocks) return upload_held(store, params, source, *options.blocks);
  for (const ParamSpec& spec : params.specs()) {
    const bool is_apart = dtype != DType::kF32 && (spec.shape.rank() == 1 || spec.name == "wpe.weight");
    for_rows(source, spec, [&](std::int64_t first, std::span<const float> values) {
      const auto bytes = static_cast<std::uint64_t>(is_apart ? first : spec.offset + first) *
                         static_cast<std::uint64_t>(dtype_size(is_apart ? DType::kF32 : dtype));
      if (is_apart) return store.upload(f32_param_tensor(spec.name), std::as_bytes(values), bytes);
      if (dtype == DType::kF32) return store.upload(tensor::kParams, std::as_bytes(values), bytes);
      std::uint64_t at = bytes;
      encode_tensor(spec.name, values, TensorEncoding::kF16, [&](std::span<const std::byte> some) {
        store.upload(kMatrices, some, at);
        at += some.size();
      });
    });
  }
}

}  // namespace vkgpt::model
