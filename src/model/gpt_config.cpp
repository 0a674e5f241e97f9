#include "vkgpt/model/gpt_config.hpp"

#include "vkgpt/core/error.hpp"

namespace vkgpt::model {

std::int64_t GptConfig::inner_width() const {
  if (n_inner > 0) return n_inner;
  return has_swiglu() ? (8 * n_embd / 3 + 63) / 64 * 64 : 4 * n_embd;
}

void GptConfig::validate() const {
  if (head_dim == 0 && n_embd % n_head != 0) {
    fail_usage("n_embd = {} is not a multiple of n_head = {}", n_embd, n_head);
  }
  if (head_dim != 0 && (head_dim < 16 || head_dim > 128 || head_dim % 4 != 0)) {
    fail_usage("head_dim = {}: it must be 16 to 128 and a multiple of 4", head_dim);
  }
  if (n_embd % 4 != 0) fail_usage("n_embd = {} is not a multiple of 4", n_embd);
  if (head_size() < 16 || head_size() > 128 || head_size() % 4 != 0) {
    fail_usage("n_embd / n_head = {} / {} gives a head size of {}; it must be 16 to 128 and a multiple of 4",
               n_embd, n_head, head_size());
  }
  if (n_head % kv_heads() != 0) {
    fail_usage("n_head = {} is not a multiple of n_kv_head = {}", n_head, n_kv_head);
  }
  if (rope_scaling != "none" && !has_rope()) {
    fail_usage("rope_scaling = {} needs pos_encoding = rope", rope_scaling);
  }
  if (rope_scaling != "none" && rope_high_freq_factor <= rope_low_freq_factor) {
    fail_usage("rope_high_freq_factor = {} must be above rope_low_freq_factor = {}", rope_high_freq_factor,
               rope_low_freq_factor);
  }
  if (attention_window > block_size) {
    fail_usage("attention_window = {} is longer than block_size = {}", attention_window, block_size);
  }
}

}  // namespace vkgpt::model
