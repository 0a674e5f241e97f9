#pragma once

#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::test {

/// A GPT-2 of two layers with a vocabulary that needs padding.
inline model::GptConfig tiny_gpt2_config() {
  model::GptConfig config;
  config.vocab_size = 29;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_embd = 32;
  config.block_size = 16;
  return config;
}

/// A LLaMA of two layers with half as many heads of keys and values.
inline model::GptConfig tiny_llama_config() {
  model::GptConfig config = tiny_gpt2_config();
  config.n_head = 4;
  config.n_kv_head = 2;
  config.n_embd = 64;
  config.n_inner = 40;
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.pos_encoding = "rope";
  return config;
}

}  // namespace vkgpt::test
