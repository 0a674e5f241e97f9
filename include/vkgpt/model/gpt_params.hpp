#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/shape.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::model {

/// One parameter: where it lies in the flat arenas, how it starts, and how a Hugging Face GPT-2 file holds
/// it.
struct ParamSpec {
  enum class Init { kNormal, kZero, kOne };

  std::string name;         // as in Hugging Face, without "transformer."
  Shape shape;              // as trained: matrices are (out, in), the vocabulary is padded
  std::int64_t offset = 0;  // elements into the arenas; a multiple of GptParams::kAlignment
  Init init = Init::kZero;
  double init_std = 0;              // of kNormal
  bool decay = false;               // weight decay applies (matrices and embeddings)
  bool transposed_on_disk = false;  // Conv1D: stored (in, out)
  Shape disk_shape;                 // without padding, in the order of the file

  std::int64_t numel() const { return shape.numel(); }
};

/// The one table of a model's parameters, in the order of the parameter, gradient and optimizer arenas.
class GptParams {
 public:
  /// Parameters start at multiples of so many elements: a copy in 16 bits starts at 512 bytes, and a
  /// quantization block of the 8-bit optimizer belongs to one parameter.
  static constexpr std::int64_t kAlignment = 256;

  explicit GptParams(const GptConfig& config);

  std::span<const ParamSpec> specs() const { return specs_; }
  const ParamSpec& find(std::string_view name) const;
  /// Elements of one arena, padding included.
  std::int64_t arena_elements() const { return arena_elements_; }
  /// Parameters as people count them: without padding.
  std::int64_t parameter_count() const;

  /// The part of an arena tensor that holds `name`.
  plan::Tensor view(plan::PlanBuilder& builder, const plan::Tensor& arena, std::string_view name) const;

 private:
  void add(std::string name, Shape shape, ParamSpec::Init init, double init_std);

  std::vector<ParamSpec> specs_;
  std::int64_t arena_elements_ = 0;
};

/// GPT-2's initialization (Radford et al. 2019; nanoGPT's reading): normal with deviation 0.02, the
/// projections into the residual stream scaled by 1/sqrt(2 L), biases zero, LayerNorm weights one. Padding is
/// zero. Drawn with Philox keyed by the seed, so that it is the same everywhere.
std::vector<float> initial_parameters(const GptParams& params, std::uint64_t seed);

/// Moves one parameter between its place in an arena and its form in a file (`disk_shape`).
void to_disk_layout(const ParamSpec& spec, std::span<const float> arena, std::span<float> disk);
void from_disk_layout(const ParamSpec& spec, std::span<const float> disk, std::span<float> arena);

}  // namespace vkgpt::model
