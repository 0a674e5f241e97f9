#include "vkgpt/model/gguf_adapter.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(gguf_adapter) {
  model::GptConfig config;
  config.vocab_size = 16;
  config.block_size = 8;
  config.n_layer = 1;
  config.n_embd = 8;
  config.n_head = 2;
  config.n_inner = 8;
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.pos_encoding = "rope";
  config.bias = false;
  model::read_gguf_adapter(write_input("adapter.gguf", input), model::GptParams(config));
}

}  // namespace vkgpt::fuzz
