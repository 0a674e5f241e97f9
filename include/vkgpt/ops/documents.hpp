#pragma once

#include "vkgpt/plan/tensor.hpp"

namespace vkgpt::ops {

/// Documents that share the sequences of a batch one after the other: attention stays inside each, and
/// positions start again with each. What pads a sequence at its end is a document too.
struct Documents {
  plan::Tensor positions;  // (B, T) i32: of each token in its document, from 0
  plan::Tensor ends;       // (B, T) i32: where in the sequence its document ends, exclusive
};

}  // namespace vkgpt::ops
