#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "vkgpt/model/adapter.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/text/generate/batch.hpp"
#include "vkgpt/text/generate/decoder.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::serve {

/// What a machine is made of; all outlive it. Of the model's tokens those below `vocab_size` are drawn.
struct MachineModel {
  const model::GptParams& params;
  const model::ParamSource& weights;
  std::span<const model::Adapter> adapters = {};
  std::int64_t vocab_size = 0;
};

/// A model on a device, ready to continue texts.
class Machine {
 public:
  Machine(std::unique_ptr<vk::Context> context, const MachineModel& model,
          const model::DecodeOptions& options)
      : context_(std::move(context)),
        store_(*context_),
        decoder_(*context_, store_, model.params, options, model.adapters),
        batch_(decoder_, model.vocab_size) {
    model::upload_decode_params(store_, model.params, model.weights, options, model.adapters);
    // Else each request of a new length would wait for it, and all that run with it.
    decoder_.record();
  }

  vk::Context& context() { return *context_; }
  text::Batch& batch() { return batch_; }
  std::uint64_t device_bytes() const { return store_.allocated_bytes(); }

 private:
  std::unique_ptr<vk::Context> context_;
  plan::TensorStore store_;
  text::Decoder decoder_;
  text::Batch batch_;
};

/// Opens the device and puts the model on it, at the start and again when the device was lost.
using OpenMachine = std::function<std::unique_ptr<Machine>()>;

}  // namespace vkgpt::serve
