#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/packing.hpp"
#include "vkgpt/train/run_settings.hpp"
#include "vkgpt/train/train_data.hpp"
#include "vkgpt/train/trainer.hpp"

namespace vkgpt::train {

/// A run directory, its data and its model's shape: what a run is before a device is opened.
class RunSetup {
 public:
  /// Settles `model` and `config`, which `fields` are bound to: a checkpoint, --init_from or the tokenizer
  /// has the last word on the shape. Locks the run directory, then refuses (usage errors) what contradicts
  /// itself or the run that is continued; settings and tokenizer are written there when the trainer is ready.
  /// `changes` are told. With `kRead`, on ranks other than 0, nothing is locked or written. The arguments
  /// outlive it.
  RunSetup(const FieldSet& fields, model::GptConfig& model, TrainConfig& config,
           std::span<const SettingChange> changes = {}, StoreAccess access = StoreAccess::kWrite);

  RunInput input() {
    return {.model = model_,
            .tokenizer = *data_->tokenizer,
            .corpus = data_->corpus,
            .checkpoints = *checkpoints_,
            .packed = packed_ ? &*packed_ : nullptr,
            .on_ready = [this] {
              if (access_ == StoreAccess::kWrite) write_settings();
            }};
  }
  /// The step that the run goes on from; 0 for a new one.
  std::int64_t reached() const { return reached_; }
  const TrainData& data() const { return *data_; }

 private:
  void find_origin();
  void settle_base();
  void settle_shape(const FieldSet& fields);
  void settle_adapter();
  void settle_vocabulary();
  void open_data();
  void settle_packing();
  void warn_of(const Packing::Report& report, std::string_view split, Overlong overlong) const;
  void settle_prompt(const FieldSet& fields);
  void write_settings() const;
  std::int64_t check_continuation(std::span<const SettingChange> changes) const;

  const FieldSet& fields_;
  model::GptConfig& model_;
  TrainConfig& config_;
  StoreAccess access_;
  std::optional<CheckpointStore> checkpoints_;
  std::optional<Checkpoint> checkpoint_;  // to go on from
  std::optional<Path> origin_;            // directory of the model to go on with or to start from
  std::optional<TrainData> data_;
  std::optional<PackedSplits> packed_;  // windows of documents
  std::int64_t reached_ = 0;            // step of the checkpoint
};

}  // namespace vkgpt::train
