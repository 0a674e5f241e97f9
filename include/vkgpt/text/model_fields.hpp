#pragma once

#include <string_view>

#include "vkgpt/core/config_field.hpp"

/// Settings of a model in use that several commands share, each under a heading of its own.
namespace vkgpt::text {

/// A name that `ChatFormat` takes.
inline FieldInfo chat_template_field(std::string_view group) {
  return {.name = "template",
          .group = group,
          .help = "How turns are written; auto: by the model's own template, else by its special tokens",
          .choices = "auto|own|chatml|llama3|plain"};
}

/// A name that `model::decode_options` takes.
inline FieldInfo weights_dtype_field(std::string_view group) {
  return {.name = "dtype",
          .group = group,
          .help =
              "Of weights and cache; f16 takes half the memory, the others hold matrices in 8.5 or 4.5 "
              "bits a number, and on GPUs the cache in f16",
          .choices = "f32|f16|q8_0|q4_0|nf4"};
}

/// The context that a cache of keys and values is kept for.
inline FieldInfo context_field(std::string_view group) {
  return {.name = "block_size",
          .group = group,
          .help = "Context in tokens; auto: the model's, or what memory has room for beside the weights",
          .min = 0,
          .max = 1 << 24,
          .zero_name = "auto"};
}

inline FieldInfo adapter_field(std::string_view group) {
  return {
      .name = "adapter",
      .group = group,
      .help =
          "Adapters to use with the model: a PEFT directory, a run or a GGUF file; --model may be left out "
          "where they say what theirs is"};
}

inline FieldInfo use_ema_field(std::string_view group) {
  return {.name = "use_ema",
          .group = group,
          .help = "Take the averaged weights of a model that was trained with --ema"};
}

}  // namespace vkgpt::text
