#include "model/batch_attention.hpp"

namespace vkgpt::model {
namespace {

using plan::PlanBuilder;
using plan::Tensor;

Tensor rope_table(PlanBuilder& builder, const GptConfig& config, std::int64_t layer) {
  return ops::rope_table(builder, config.block_size, config.head_size(), rope_angles(config, layer));
}

ops::Dropout probability_dropout(const BlockOptions& options) {
  return {.p = options.dropout, .site = options.dropout_site};
}

}  // namespace

Attend attend(const BatchAttention& batch, const BlockOptions& options) {
  return [batch, options](PlanBuilder& builder, const Tensor& qkv) {
    const GptConfig& config = batch.config;
    if (config.layer_has_rope(options.layer)) {
      ops::rope_forward(builder, {.qkv = qkv,
                                  .table = rope_table(builder, config, options.layer),
                                  .n_head = config.n_head,
                                  .n_kv_head = config.kv_heads(),
                                  .positions = batch.positions()});
    }
    const Tensor out = builder.transient("out", {batch.B, batch.T, config.attention_width()}, options.dtype);
    const Tensor lse = builder.transient("lse", {batch.B, config.n_head, batch.T});
    ops::attention_forward(builder, {.qkv = qkv,
                                     .out = out,
                                     .lse = lse,
                                     .n_head = config.n_head,
                                     .n_kv_head = config.kv_heads(),
                                     .window = config.layer_window(options.layer),
                                     .dropout = probability_dropout(options),
                                     .documents = batch.documents});
    return Attended{out, lse};
  };
}

AttendBackward attend_backward(const BatchAttention& batch, const BlockOptions& options) {
  return [batch, options](PlanBuilder& builder, const Tensor& dout, const Tensor& qkv,
                          const Attended& attended) {
    const GptConfig& config = batch.config;
    const Tensor dqkv = builder.transient("dqkv", qkv.shape, options.dtype);
    ops::attention_backward(builder, {.dout = dout,
                                      .qkv = qkv,
                                      .out = attended.out,
                                      .lse = *attended.lse,
                                      .dqkv = dqkv,
                                      .n_head = config.n_head,
                                      .n_kv_head = config.kv_heads(),
                                      .window = config.layer_window(options.layer),
                                      .dropout = probability_dropout(options),
                                      .documents = batch.documents});
    if (config.layer_has_rope(options.layer)) {
      ops::rope_backward(builder, {.dqkv = dqkv,
                                   .table = rope_table(builder, config, options.layer),
                                   .n_head = config.n_head,
                                   .n_kv_head = config.kv_heads(),
                                   .positions = batch.positions()});
    }
    return dqkv;
  };
}

}  // namespace vkgpt::model
