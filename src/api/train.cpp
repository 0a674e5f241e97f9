#include <limits>
#include <memory>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/train/recovery.hpp"
#include "vkgpt/train/run_setup.hpp"
#include "vkgpt/vkgpt.hpp"

#include "api/device.hpp"

namespace vkgpt {

TrainResult train_model(const std::map<std::string, std::string>& settings, const DeviceOptions& options,
                        const std::function<bool(const TrainStep&)>& on_step) {
  model::GptConfig model;
  train::TrainConfig config;
  FieldSet fields;
  fields.add(model);
  fields.add(config);
  std::vector<Setting> given;
  for (const auto& [name, value] : settings) given.push_back({.key = name, .text = value, .where = name});
  for (const Setting& setting : given) fields.set(setting);
  std::vector<Setting> saved;
  if (config.resume) saved = train::saved_settings(config.out_dir);
  std::erase_if(saved, [&](const Setting& setting) { return fields.find(setting.key) == nullptr; });
  const auto changes = train::apply_settings(fields, saved, given);

  train::RunSetup setup(fields, model, config, changes);
  train::RunInput input = setup.input();
  if (on_step) {
    input.on_step = [&](const train::Progress& progress) {
      return on_step({.step = progress.step,
                      .max_steps = progress.max_steps,
                      .loss = progress.loss,
                      .learning_rate = progress.learning_rate,
                      .grad_norm = progress.grad_norm,
                      .tokens_per_second = progress.tokens_per_second});
    };
  }
  const auto open_device = [&] { return std::make_unique<vk::Context>(api::context_options(options)); };
  const train::TrainSummary summary = train::train_with_recovery(open_device, input, config);
  return {.steps = summary.steps,
          .train_loss = summary.train_loss.value_or(std::numeric_limits<double>::quiet_NaN()),
          .val_loss = summary.val_loss.value_or(std::numeric_limits<double>::quiet_NaN()),
          .directory = config.out_dir};
}

}  // namespace vkgpt
