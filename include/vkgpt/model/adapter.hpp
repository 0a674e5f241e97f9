#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/param_source.hpp"

namespace vkgpt::model {

/// A change of low rank to some rows of a matrix: scale * B A (LoRA: Hu et al., arXiv:2106.09685).
struct AdapterPart {
  std::string param;           // the matrix: "h.0.attn.c_attn.weight"
  std::int64_t first_row = 0;  // of it, with `rows` that follow
  std::int64_t rows = 0;
  std::vector<float> a;  // (r, in)
  std::vector<float> b;  // (rows, r)
};

/// Adapters of a model that were trained together. q, k and v may each have their own A, or none.
struct Adapter {
  std::int64_t rank = 0;  // r of every part
  double scale = 0;       // alpha / r, or rsLoRA's alpha / sqrt(r)
  std::vector<AdapterPart> parts;
};

/// Reads the adapters of a directory of PEFT's, or of a run, for a model of these parameters (nothing frozen,
/// no adapters). Throws `Error`, one line: for kinds of adapters that are not supported, a rank that is not
/// the one that adapter_config.json gives, targets without tensors, and shapes of another model.
Adapter read_adapter(const Path& directory, const GptParams& params);

/// Adds an adapter to its matrices, in double precision. `arena` has the layout of `params`.
void merge_adapter(const Adapter& adapter, const GptParams& params, std::span<float> arena);

/// The parameters of `base` with an adapter added as they are read: `merge_adapter` of all of them.
std::unique_ptr<ParamSource> adapted_params(std::unique_ptr<ParamSource> base, Adapter adapter);

}  // namespace vkgpt::model
