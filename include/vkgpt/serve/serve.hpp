#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/model/adapter.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/serve/listen_config.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/model_fields.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::serve {

/// What `vkgpt serve` does.
struct ServeConfig {
  std::string model;
  std::string served_name;
  std::string adapter;
  std::string chat_template = "auto";
  std::int64_t slots = 8;
  std::int64_t queue = 64;
  std::int64_t block_size = 0;
  std::string dtype = "f32";
  bool use_ema = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Serving";
    visit(FieldInfo{.name = "model", .group = kGroup, .help = "Run directory, model directory or .gguf file"},
          self.model);
    visit(FieldInfo{.name = "served_name",
                    .group = kGroup,
                    .help = "The model's name in the interface; empty takes that of its directory"},
          self.served_name);
    visit(FieldInfo{.name = "adapter",
                    .group = kGroup,
                    .help = "Adapters (PEFT directories, runs, GGUF files) that requests choose as their "
                            "model: NAME=PATH, "
                            "several with commas between them; 'base' is the model alone"},
          self.adapter);
    visit(text::chat_template_field(kGroup), self.chat_template);
    visit(FieldInfo{.name = "slots",
                    .group = kGroup,
                    .help = "Texts that are continued together; each has a cache of its own",
                    .min = 1,
                    .max = 256},
          self.slots);
    visit(FieldInfo{.name = "queue",
                    .group = kGroup,
                    .help = "Texts that may wait beyond those; more are refused with status 429",
                    .min = 0,
                    .max = 1 << 16},
          self.queue);
    visit(FieldInfo{.name = "block_size",
                    .group = kGroup,
                    .help = "Longest text in tokens; a shorter one than the model's saves memory",
                    .min = 0,
                    .max = 1 << 24,
                    .zero_name = "auto"},
          self.block_size);
    visit(text::weights_dtype_field(kGroup), self.dtype);
    visit(text::use_ema_field(kGroup), self.use_ema);
  }
};

/// A model with what belongs to it; all outlive `serve`.
struct ServedModel {
  const model::GptParams& params;
  const model::ParamSource& weights;
  const text::Tokenizer& tokenizer;
  std::string name;
  std::span<const model::Adapter> adapters = {};
  std::vector<std::string> adapter_names = {};  // as many
};

/// Serves the model until a signal comes: then no new requests are taken, and those that run have half a
/// minute. `started` is told the address. Throws `Error` where it cannot start.
void serve(const ServeConfig& config, const ListenConfig& listen, const text::SamplerConfig& sampling,
           const ServedModel& model, const std::function<std::unique_ptr<vk::Context>()>& open_device,
           const std::function<void(const std::string& address)>& started);

}  // namespace vkgpt::serve
