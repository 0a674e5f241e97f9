#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/shape.hpp"
#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::model {

/// What of a model is trained. The default is all of it.
struct Adaptation {
  std::vector<std::string> freeze =
      {};                      ///< patterns of parameter names ('*' is any text) that stay as they are
  std::int64_t lora_rank = 0;  ///< r; 0 = no adapters. With adapters everything else is frozen
  double lora_alpha = 0;       ///< adapters add alpha / r * B A to their matrix
  std::vector<std::string> lora_targets = {};  ///< modules that get adapters: "c_attn", "c_proj", "c_fc"

  double lora_scale() const { return lora_alpha / static_cast<double>(lora_rank); }
  friend bool operator==(const Adaptation&, const Adaptation&) = default;
};

/// One parameter: where it lies in the flat arenas and how it starts. `file_tensors` says how files hold it.
struct ParamSpec {
  enum class Init { kNormal, kZero, kOne };

  std::string name;         // as in Hugging Face's GPT-2, without "transformer."
  Shape shape;              // as trained: matrices are (out, in), the vocabulary is padded
  std::int64_t offset = 0;  // elements into the arenas; a multiple of GptParams::kAlignment
  Init init = Init::kZero;
  double init_std = 0;      // of kNormal
  bool decay = false;       // weight decay applies (matrices and embeddings)
  bool trainable = true;    // has a gradient
  bool is_adapter = false;  // LoRA's A (r, in) or B (out, r)
  Shape unpadded_shape;     // without the padding rows of a vocabulary, which come last

  std::int64_t numel() const { return shape.numel(); }
};

/// The one table of a model's parameters. In the parameter arena the trainable ones come first, so that the
/// arenas of gradients and optimizer state hold just those, at the same offsets.
class GptParams {
 public:
  /// Parameters start at multiples of so many elements: a copy in 16 bits starts at 512 bytes, and a
  /// quantization block of the 8-bit optimizer belongs to one parameter.
  static constexpr std::int64_t kAlignment = 256;

  /// Throws usage errors for patterns and targets that name nothing, and when nothing is left to train.
  explicit GptParams(const GptConfig& config, Adaptation adaptation = {});

  const GptConfig& config() const { return config_; }
  const Adaptation& adaptation() const { return adaptation_; }

  std::span<const ParamSpec> specs() const { return specs_; }
  const ParamSpec& find(std::string_view name) const;
  /// Null where this model has no such parameter.
  const ParamSpec* find_if_present(std::string_view name) const;
  /// Elements of the parameter arena, padding included.
  std::int64_t arena_elements() const { return arena_elements_; }
  /// Elements of its trainable part.
  std::int64_t trainable_elements() const { return trainable_elements_; }
  /// Parameters as people count them: without padding and without adapters.
  std::int64_t parameter_count() const;
  /// The same of what is trained.
  std::int64_t trainable_count() const;

 private:
  void add(std::string name, Shape shape, ParamSpec::Init init, double init_std);
  void add_model();
  void add_adapters();
  void freeze();
  void place();

  GptConfig config_;
  Adaptation adaptation_;
  std::vector<ParamSpec> specs_;
  std::int64_t arena_elements_ = 0;
  std::int64_t trainable_elements_ = 0;
};

/// GPT-2's initialization (Radford et al. 2019; nanoGPT's reading): normal with deviation 0.02, the
/// projections into the residual stream scaled by 1/sqrt(2 L), biases zero, norm weights one. Padding is
/// zero; of an adapter, B is zero (Hu et al., arXiv:2106.09685). Drawn with Philox keyed by the seed, so that
/// it is the same everywhere.
std::vector<float> initial_parameters(const GptParams& params, std::uint64_t seed);

/// Adds each adapter's alpha / r * B A to its matrix, in double precision: the model that the adapters make
/// of their base. `arena` has the layout of `params`.
void merge_adapters(const GptParams& params, std::span<float> arena);

/// The parameters that both tables have, moved from an arena of one layout to one of the other; the rest is
/// 0. Of learned positions `to` may have fewer.
std::vector<float> rearrange(const GptParams& from, std::span<const float> arena, const GptParams& to);

}  // namespace vkgpt::model
