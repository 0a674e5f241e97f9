#include "vkgpt/model/decode_plan.hpp"

#include <utility>

#include "vkgpt/model/gpt_block.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/ops/attention.hpp"
#include "vkgpt/ops/embedding.hpp"
#include "vkgpt/ops/matmul.hpp"
#include "vkgpt/ops/row_select.hpp"

namespace vkgpt::model {

namespace decode {

std::vector<std::int64_t> prefill_lengths(const GptConfig& config) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t length = 32; length < config.block_size; length *= 4) lengths.push_back(length);
  lengths.push_back(config.block_size);
  return lengths;
}

std::string prefill_segment(std::int64_t length) {
  return "prefill_" + std::to_string(length);
}

std::string prefill_tokens(std::int64_t length) {
  return "prefill_tokens_" + std::to_string(length);
}

}  // namespace decode

namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

struct Cache {
  Tensor k;  // (1, NH, T, HS)
  Tensor v;  // (1, NH, T, HS)
};

class DecodePlanWriter {
 public:
  DecodePlanWriter(PlanBuilder& builder, const GptConfig& config)
      : builder_(builder),
        config_(config),
        params_(config),
        arena_(builder.persistent(tensor::kParams, {params_.arena_elements()}, Role::kParameters)),
        logits_(builder.readback(decode::kLogits, {1, config.padded_vocab_size()})) {
    const Shape shape{1, config.n_head, config.block_size, config.head_size()};
    for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
      const std::string name = "h" + std::to_string(layer);
      caches_.push_back({builder.persistent(name + "/k_cache", shape, Role::kCache),
                         builder.persistent(name + "/v_cache", shape, Role::kCache)});
    }
  }

  void write_prefill(std::int64_t length) {
    builder_.begin_segment(decode::prefill_segment(length));
    const Tensor tokens = builder_.upload(decode::prefill_tokens(length), {1, length}, DType::kI32);
    const Tensor x = builder_.transient("embedding", {1, length, config_.n_embd});
    ops::embedding_forward(
        builder_, {.tokens = tokens, .wte = param("wte.weight"), .wpe = param("wpe.weight"), .x = x});
    const Tensor y = write_blocks(x, [&](const Cache& cache, const Tensor& qkv, const Tensor& out) {
      const Tensor lse = builder_.transient("lse", {1, config_.n_head, length});
      ops::attention_forward(builder_, {.qkv = qkv, .out = out, .lse = lse, .n_head = config_.n_head});
      ops::attention_cache_fill(
          builder_, {.qkv = qkv, .k_cache = cache.k, .v_cache = cache.v, .n_head = config_.n_head});
    });
    const Tensor last = builder_.transient("last", {1, config_.n_embd});
    ops::row_select_forward(builder_, y, last);
    write_head(last);
  }

  void write_decode() {
    builder_.begin_segment(decode::kSegment);
    const Tensor token = builder_.upload(decode::kToken, {1}, DType::kI32);
    const Tensor x = builder_.transient("embedding", {1, config_.n_embd});
    ops::embedding_decode(builder_,
                          {.tokens = token, .wte = param("wte.weight"), .wpe = param("wpe.weight"), .x = x});
    write_head(write_blocks(x, [&](const Cache& cache, const Tensor& qkv, const Tensor& out) {
      ops::attention_decode(
          builder_,
          {.qkv = qkv, .k_cache = cache.k, .v_cache = cache.v, .out = out, .n_head = config_.n_head});
    }));
  }

 private:
  Tensor param(const std::string& name) { return params_.view(builder_, arena_, name); }
  float eps() const { return static_cast<float>(config_.layer_norm_eps); }

  /// All blocks and the last norm, over x (..., C); `attend(cache, qkv, out)` is the attention of a layer.
  template <typename AttendWithCache>
  Tensor write_blocks(const Tensor& x, AttendWithCache&& attend) {
    Stream stream{x, {}};
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const auto scope = builder_.scope("h" + std::to_string(layer));
      const Attend with_cache = [&](PlanBuilder& builder, const Tensor& qkv) {
        const Tensor out = builder.transient("out", x.shape);
        attend(caches_[static_cast<std::size_t>(layer)], qkv, out);
        return out;
      };
      stream =
          block_forward(builder_, block_tensors(builder_, params_, arena_, layer), stream, with_cache, eps())
              .out;
    }
    return stream_norm(builder_, norm_tensors(builder_, params_, arena_, "ln_f"), stream, eps()).y;
  }

  void write_head(const Tensor& y) {
    const char* head = config_.tie_weights ? "wte.weight" : "lm_head.weight";
    ops::linear_forward(builder_, {.x = y, .weight = param(head), .y = logits_});
  }

  PlanBuilder& builder_;
  const GptConfig& config_;
  GptParams params_;
  Tensor arena_;   // (arena)
  Tensor logits_;  // (1, Vp)
  std::vector<Cache> caches_;
};

}  // namespace

plan::Plan build_decode_plan(const GptConfig& config, const vk::DeviceCaps& caps) {
  PlanBuilder builder(caps);
  DecodePlanWriter writer(builder, config);
  for (const std::int64_t length : decode::prefill_lengths(config)) writer.write_prefill(length);
  writer.write_decode();
  return std::move(builder).finish();
}

}  // namespace vkgpt::model
