#include "support/architecture_grid.hpp"

#include <cmath>

#include "vkgpt/core/format.hpp"

namespace vkgpt::test {
namespace {

struct Choices {
  const char* norm;
  const char* mlp;
  const char* pos_encoding;
  int n_kv_head;  // 2 of 4 heads, otherwise of 2 heads
  int attention_window;
  bool qk_norm;
  bool parallel_blocks;
  bool bias;
  bool tie_weights;
  int n_inner;
  double logit_softcap;
};

// clang-format off
constexpr Choices kGrid[] = {
    // norm        mlp         positions  NKV  window  qk     parallel bias   tied   F   cap
    {"layernorm", "gelu",     "learned",  0,   0,      false, false,   true,  true,  0,  0},
    {"rmsnorm",   "swiglu",   "rope",     2,   0,      false, false,   false, true,  0,  0},
    {"layernorm", "relu2",    "rope",     1,   7,      true,  true,    false, false, 48, 4},
    {"rmsnorm",   "gelu_erf", "learned",  2,   7,      true,  true,    true,  false, 0,  4},
    {"rmsnorm",   "relu2",    "learned",  1,   0,      true,  false,   true,  true,  48, 0},
    {"rmsnorm",   "gelu",     "rope",     0,   0,      false, true,    false, false, 48, 4},
    {"layernorm", "swiglu",   "rope",     0,   7,      true,  true,    true,  true,  48, 4},
    {"layernorm", "gelu_erf", "rope",     1,   7,      false, false,   false, false, 48, 0},
    {"layernorm", "gelu",     "learned",  2,   7,      true,  true,    false, false, 48, 0},
    {"rmsnorm",   "swiglu",   "learned",  1,   0,      false, false,   false, false, 0,  4},
    {"layernorm", "gelu_erf", "rope",     0,   0,      false, true,    true,  true,  0,  4},
    {"layernorm", "relu2",    "learned",  0,   0,      false, false,   false, false, 0,  0},
    {"layernorm", "relu2",    "rope",     2,   0,      false, true,    false, false, 0,  0},
    {"rmsnorm",   "gelu",     "rope",     1,   7,      false, false,   true,  true,  48, 0},
};
// clang-format on

}  // namespace

std::vector<model::GptConfig> architecture_grid() {
  std::vector<model::GptConfig> grid;
  for (const Choices& choices : kGrid) {
    model::GptConfig config;
    config.vocab_size = 29;
    config.n_layer = 2;
    config.n_head = choices.n_kv_head == 2 ? 4 : 2;
    config.n_kv_head = choices.n_kv_head;
    config.n_embd = 16 * config.n_head;
    config.n_inner = choices.n_inner;
    config.block_size = 20;
    config.norm = choices.norm;
    config.mlp = choices.mlp;
    config.pos_encoding = choices.pos_encoding;
    config.rope_theta = 500;
    config.attention_window = choices.attention_window;
    config.qk_norm = choices.qk_norm;
    config.parallel_blocks = choices.parallel_blocks;
    config.bias = choices.bias;
    config.tie_weights = choices.tie_weights;
    config.logit_softcap = choices.logit_softcap;
    config.layer_norm_eps = 1e-3;
    grid.push_back(config);
  }
  // What only imported models have: heads of a size of their own, stretched rotary positions.
  model::GptConfig imported = grid[1];
  imported.head_dim = 20;
  imported.rope_scaling = "llama3";
  imported.rope_original_context = 15;
  grid.push_back(imported);
  // Layers that differ: the first with a window and without positions.
  model::GptConfig layers = grid[1];
  layers.attention_window = 7;
  layers.window_layers = "wf";
  layers.rope_layers = "nr";
  layers.rope_scaling = "yarn";
  layers.rope_factor = 4;
  layers.rope_beta_fast = 8;
  layers.rope_original_context = 10;
  grid.push_back(layers);
  // Gemma 3: norms around branches, gated GELU, two kinds of positions.
  model::GptConfig gemma = grid[1];
  gemma.norm = "rmsnorm1p";
  gemma.mlp = "geglu";
  gemma.qk_norm = true;
  gemma.branch_norms = true;
  gemma.embedding_scale = std::sqrt(64.0);
  gemma.attention_scalar = 9;
  gemma.attention_window = 7;
  gemma.window_layers = "wf";
  gemma.rope_layers = "lr";
  gemma.rope_local_theta = 50;
  gemma.rope_scaling = "linear";
  grid.push_back(gemma);
  return grid;
}

std::string architecture_name(const model::GptConfig& config) {
  std::string name = vkgpt::format("{}_{}_{}", config.norm, config.mlp, config.pos_encoding);
  if (config.n_kv_head != 0) name += vkgpt::format("_kv{}", config.n_kv_head);
  if (config.attention_window != 0) name += vkgpt::format("_window{}", config.attention_window);
  if (config.qk_norm) name += "_qknorm";
  if (config.branch_norms) name += "_branchnorms";
  if (config.parallel_blocks) name += "_parallel";
  if (!config.bias) name += "_nobias";
  if (!config.tie_weights) name += "_untied";
  if (config.n_inner != 0) name += vkgpt::format("_inner{}", config.n_inner);
  if (config.logit_softcap != 0) name += "_softcap";
  if (config.head_dim != 0) name += vkgpt::format("_head{}", config.head_dim);
  if (config.rope_scaling != "none") name += "_" + config.rope_scaling;
  if (!config.rope_layers.empty()) name += "_" + config.rope_layers;
  if (!config.window_layers.empty()) name += "_" + config.window_layers;
  return name;
}

}  // namespace vkgpt::test
