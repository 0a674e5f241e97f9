#pragma once

#include <string>
#include <string_view>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::check {

/// A model's parameters, and where their gradients go (added).
struct Parameters {
  const model::GptConfig& config;
  const model::GptParams& params;
  View arena;
  std::span<double> gradients = {};  // empty in a forward pass

  /// Empty where the architecture has no such parameter.
  View get(const std::string& name) const;
  /// Does nothing where the architecture has no such parameter.
  void add_gradient(const std::string& name, View gradient) const;
};

/// A LayerNorm or an RMSNorm over C, as the configuration says.
Norm norm_forward(const Parameters& p, const std::string& name, View x);
/// dx; adds the gradients of the parameters.
Vector norm_backward(const Parameters& p, const std::string& name, View dout, View x, const Norm& norm);

/// y = x W^T + bias with the layer `name`, without bias where there is none.
Vector linear_forward(const Parameters& p, const std::string& name, View x);
/// dx; adds the gradients of the parameters.
Vector linear_backward(const Parameters& p, const std::string& name, View dout, View x);

/// What the backward of one block needs.
struct Block {
  Vector x;             // (B, T, C), the block's input
  Norm norm1;           // of x
  Vector qkv;           // (B, T, (NH + 2 NKV) HS), of the linear layer
  Vector rotated;       // the same after QK-norm and RoPE
  Attention attention;  // out (B, T, C)
  Vector attended;      // (B, T, C), of the projection
  Norm attended_norm;   // of attended, where the model has branch_norms
  Vector residual;      // (B, T, C), x + attention; empty in a parallel block
  Norm norm2;           // of residual; empty in a parallel block
  Vector pre;           // (B, T, F), or (B, T, 2F) with a gate
  Vector activated;     // (B, T, F)
  Vector projected;     // (B, T, C)
  Norm projected_norm;  // of projected, likewise
};
/// x (B, T, C) -> (B, T, C); `name` is "h.0", "h.1", ...
Vector block_forward(Block& block, const Parameters& p, const std::string& name, Vector x, std::size_t B,
                     std::size_t T);
/// dx (B, T, C); adds the gradients of the block's parameters.
Vector block_backward(const Block& block, const Parameters& p, const std::string& name, View dout,
                      std::size_t B, std::size_t T);

}  // namespace vkgpt::check
