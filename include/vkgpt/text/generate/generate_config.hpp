#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/text/model_fields.hpp"

namespace vkgpt::text {

/// What `vkgpt generate` writes; how tokens are drawn is in `SamplerConfig`.
struct GenerateConfig {
  std::string model;
  std::string adapter;
  std::string tokenizer;
  std::string prompt = "\n";
  std::string prompt_tokens;
  std::int64_t max_new_tokens = 200;
  std::int64_t num_samples = 1;
  std::uint64_t seed = 1337;
  std::int64_t block_size = 0;
  bool stream = false;
  bool kv_cache = true;
  std::string dtype = "f32";
  bool use_ema = false;
  std::string stop;
  std::string logits;

  friend bool operator==(const GenerateConfig&, const GenerateConfig&) = default;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Generation";
    visit(FieldInfo{.name = "model", .group = kGroup, .help = "Run directory or checkpoint"}, self.model);
    visit(adapter_field(kGroup), self.adapter);
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "Instead of the model's own: gpt2, byte, or a directory or file with one"},
          self.tokenizer);
    visit(FieldInfo{.name = "prompt", .group = kGroup, .help = "Text to continue"}, self.prompt);
    visit(FieldInfo{.name = "prompt_tokens",
                    .group = kGroup,
                    .help = "The prompt as numbers of tokens, \"464,3290\", instead of --prompt"},
          self.prompt_tokens);
    visit(FieldInfo{.name = "max_new_tokens",
                    .group = kGroup,
                    .help = "Tokens to add; the context window slides past its end",
                    .min = 1,
                    .max = 1e9},
          self.max_new_tokens);
    visit(
        FieldInfo{.name = "num_samples", .group = kGroup, .help = "Texts to write", .min = 1, .max = 1 << 20},
        self.num_samples);
    visit(FieldInfo{.name = "seed", .group = kGroup, .help = "Same seed, same text"}, self.seed);
    visit(context_field(kGroup), self.block_size);
    visit(FieldInfo{.name = "stream", .group = kGroup, .help = "Print characters as they come"}, self.stream);
    visit(FieldInfo{.name = "kv_cache",
                    .group = kGroup,
                    .help = "Keep keys and values of earlier tokens; the text is the same either way"},
          self.kv_cache);
    visit(weights_dtype_field(kGroup), self.dtype);
    visit(use_ema_field(kGroup), self.use_ema);
    visit(FieldInfo{.name = "stop",
                    .group = kGroup,
                    .help = "End where the model writes this; it ends at the end-of-text token anyway"},
          self.stop);
    visit(FieldInfo{.name = "logits",
                    .group = kGroup,
                    .help = "Also write tokens and logits of prompt and text to this safetensors file"},
          self.logits);
  }
};

}  // namespace vkgpt::text
