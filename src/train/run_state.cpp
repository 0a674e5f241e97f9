#include "train/run_state.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/train/trainer_state.hpp"

namespace vkgpt::train {
namespace {

constexpr const char* kOptimizerFile = "optimizer.safetensors";

std::vector<float> download(const plan::TensorStore& store, const char* name, std::int64_t elements) {
  std::vector<float> values(static_cast<std::size_t>(elements));
  store.download(name, std::as_writable_bytes(std::span(values)));
  return values;
}

void write_state(OutputFile& file, StepRunner& runner) {
  std::vector<model::SafetensorsTensor> tensors;
  const std::vector<plan::TensorInfo>& infos = runner.state().tensors();
  for (const plan::TensorInfo& info : infos) tensors.push_back({info.name, info.dtype, info.shape});
  std::vector<std::byte> bytes;
  model::write_safetensors(file, std::move(tensors),
                           [&](const model::SafetensorsTensor& tensor, const model::SafetensorsSink& sink) {
                             bytes.resize(tensor.size_bytes());
                             const auto info = std::ranges::find(infos, tensor.name, &plan::TensorInfo::name);
                             runner.state().fetch(static_cast<std::size_t>(info - infos.begin()), bytes);
                             sink(bytes);
                           });
}

}  // namespace

void write_run_state(CheckpointWriter& out, StepRunner& runner, const model::TokenIds& ids) {
  const plan::TensorStore& store = runner.store();
  const model::GptParams& params = runner.params();
  std::vector<float> arena = download(store, model::tensor::kParams, runner.arena_elements());
  out.write(model::kModelConfigFile, model::model_config_json(params.config(), ids));
  if (!runner.has_base()) {
    out.write(model::kModelWeightsFile,
              [&](OutputFile& file) { model::write_model_parameters(file, params, arena); });
  }
  if (params.adaptation().lora_rank > 0) {
    // A base in few bits stays where it is.
    const std::string base =
        runner.has_base() ? std::filesystem::absolute(runner.config().init_from).string() : ".";
    out.write(model::kAdapterConfigFile,
              model::adapter_config_json(params, model::hf_layout(params.config()), base));
    out.write(model::kAdapterWeightsFile,
              [&](OutputFile& file) { model::write_adapters(file, params, arena); });
  }
  if (runner.has_average()) {
    const std::vector<float> average = download(store, model::tensor::kEma, params.trainable_elements());
    std::ranges::copy(average, arena.begin());
    model::merge_adapters(params, arena);
    out.write(model::kEmaWeightsFile,
              [&](OutputFile& file) { model::write_model_parameters(file, params, arena); });
  }
  out.write(kOptimizerFile, [&](OutputFile& file) { write_state(file, runner); });
}

void read_run_state(const Path& checkpoint, StepRunner& runner) {
  if (runner.has_base()) {
    set_base(runner);
    std::vector<float> arena(static_cast<std::size_t>(runner.arena_elements()));
    model::read_adapter_parameters(checkpoint, runner.params(), arena);
    runner.set_parameters(arena);
  } else {
    runner.set_parameters(model::read_model_parameters(checkpoint, runner.params()));
  }
  read_optimizer_state(checkpoint, runner);
}

void set_base(StepRunner& runner) {
  runner.set_base(*model::open_params(find_model_directory(runner.config().init_from)));
}

void read_optimizer_state(const Path& checkpoint, StepRunner& runner) {
  const model::SafetensorsFile file(checkpoint / kOptimizerFile);
  std::vector<std::byte> bytes;
  const std::vector<plan::TensorInfo>& infos = runner.state().tensors();
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const plan::TensorInfo& info = infos[i];
    const model::SafetensorsEntry* entry = file.find(info.name);
    if (entry == nullptr || entry->shape != info.shape || entry->size_bytes() != info.bytes()) {
      fail(
          "{}: no '{}' of shape {}: it was trained with another optimizer, precision or choice of parameters",
          file.path().string(), info.name, info.shape.to_string());
    }
    bytes.resize(info.bytes());
    file.read(*entry, std::span(bytes));
    runner.state().put(i, bytes);
  }
}

std::uint64_t keep_optimizer_state(const Path& checkpoint, StepRunner& runner) {
  read_optimizer_state(checkpoint, runner);
  const Path file = checkpoint / kTrainerStateFile;
  const TrainerState before = trainer_state_from_json(read_file(file), file.string());
  runner.set_kept_steps(before.kept_steps + before.step);
  return before.kept_steps + before.step;
}

std::vector<float> parameters_from(const model::LoadedModel& model, const model::GptParams& params,
                                   std::uint64_t seed) {
  std::vector<float> arena = model::rearrange(model.params, model.arena, params);
  if (params.adaptation().lora_rank == 0) return arena;
  const std::vector<float> fresh = model::initial_parameters(params, seed);
  for (const model::ParamSpec& spec : params.specs()) {
    if (!spec.is_adapter) continue;
    std::copy_n(fresh.begin() + spec.offset, spec.numel(), arena.begin() + spec.offset);
  }
  return arena;
}

}  // namespace vkgpt::train
