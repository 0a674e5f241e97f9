#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::train {

/// How a model is trained; the architecture is in `model::GptConfig`.
struct TrainConfig {
  std::string data_path;
  std::string out_dir = "out";
  double val_fraction = 0.1;
  bool resume = false;

  std::int64_t max_steps = 2000;
  std::int64_t batch_size = 64;  ///< B, sequences in a micro-step
  std::int64_t grad_accum_steps = 1;
  std::uint64_t seed = 1337;

  double learning_rate = 1e-3;
  double min_lr = 1e-4;
  std::string lr_schedule = "cosine";
  std::int64_t warmup_steps = 100;
  std::int64_t lr_decay_steps = 0;  ///< 0 = max_steps
  double wsd_decay_fraction = 0.2;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double adam_eps = 1e-8;
  double grad_clip = 1.0;

  std::int64_t log_interval = 10;
  std::int64_t eval_interval = 250;
  std::int64_t eval_iters = 20;
  std::int64_t stats_interval = 100;
  std::int64_t sample_interval = 500;
  std::int64_t sample_tokens = 200;
  std::string sample_prompt = "\n";
  std::int64_t save_interval = 500;
  std::int64_t keep_checkpoints = 2;

  /// Refuses, as usage errors, values that contradict each other.
  void validate() const;

  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit_run(visit, self);
    visit_optimizer(visit, self);
    visit_reports(visit, self);
  }

 private:
  static constexpr double kMaxSteps = 1e12;

  template <typename Visitor, typename Self>
  static void visit_run(Visitor& visit, Self& self) {
    constexpr auto kData = "Data and run directory";
    visit(FieldInfo{.name = "data_path", .group = kData, .help = "Text file to train on (UTF-8)"},
          self.data_path);
    visit(
        FieldInfo{.name = "out_dir", .group = kData, .help = "Run directory: checkpoints, metrics, samples"},
        self.out_dir);
    visit(FieldInfo{.name = "val_fraction",
                    .group = kData,
                    .help = "Share of the text, at its end, kept for validation",
                    .min = 0,
                    .max = 0.9},
          self.val_fraction);
    visit(
        FieldInfo{
            .name = "resume", .group = kData, .help = "Continue from the newest valid checkpoint in out_dir"},
        self.resume);
    constexpr auto kSteps = "Steps and batches";
    visit(FieldInfo{.name = "max_steps",
                    .group = kSteps,
                    .help = "Optimizer steps in the whole run",
                    .min = 1,
                    .max = kMaxSteps},
          self.max_steps);
    visit(FieldInfo{.name = "batch_size",
                    .group = kSteps,
                    .help = "Sequences in a micro-step",
                    .min = 1,
                    .max = 1 << 20},
          self.batch_size);
    visit(FieldInfo{.name = "grad_accum_steps",
                    .group = kSteps,
                    .help = "Micro-steps whose gradients are averaged in one step",
                    .min = 1,
                    .max = 1 << 20},
          self.grad_accum_steps);
    visit(FieldInfo{.name = "seed", .group = kSteps, .help = "Decides initialization and the order of data"},
          self.seed);
  }

  template <typename Visitor, typename Self>
  static void visit_optimizer(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Optimizer and schedule";
    visit(FieldInfo{.name = "learning_rate",
                    .group = kGroup,
                    .help = "Learning rate after warm-up",
                    .min = 0,
                    .max = 1e3},
          self.learning_rate);
    visit(FieldInfo{.name = "min_lr",
                    .group = kGroup,
                    .help = "Learning rate at the end of the schedule",
                    .min = 0,
                    .max = 1e3},
          self.min_lr);
    visit(FieldInfo{.name = "lr_schedule",
                    .group = kGroup,
                    .help = "Course of the learning rate after warm-up (wsd: stable, then a linear decay)",
                    .choices = "cosine|wsd|linear|constant"},
          self.lr_schedule);
    visit(FieldInfo{.name = "warmup_steps",
                    .group = kGroup,
                    .help = "Steps of linear warm-up",
                    .min = 0,
                    .max = kMaxSteps},
          self.warmup_steps);
    visit(FieldInfo{.name = "lr_decay_steps",
                    .group = kGroup,
                    .help = "Step at which the schedule reaches min_lr; 0 means max_steps",
                    .min = 0,
                    .max = kMaxSteps},
          self.lr_decay_steps);
    visit(FieldInfo{.name = "wsd_decay_fraction",
                    .group = kGroup,
                    .help = "Share of the schedule, at its end, in which wsd decays",
                    .min = 0,
                    .max = 1},
          self.wsd_decay_fraction);
    visit(FieldInfo{.name = "weight_decay",
                    .group = kGroup,
                    .help = "AdamW's decay, on matrices and embeddings only",
                    .min = 0,
                    .max = 1e3},
          self.weight_decay);
    visit(FieldInfo{.name = "beta1",
                    .group = kGroup,
                    .help = "AdamW's decay of the first moment",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.beta1);
    visit(FieldInfo{.name = "beta2",
                    .group = kGroup,
                    .help = "AdamW's decay of the second moment",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.beta2);
    visit(FieldInfo{.name = "adam_eps",
                    .group = kGroup,
                    .help = "AdamW's epsilon",
                    .min = 0,
                    .max = 1,
                    .min_open = true},
          self.adam_eps);
    visit(FieldInfo{.name = "grad_clip",
                    .group = kGroup,
                    .help = "Largest global gradient norm; 0 turns clipping off",
                    .min = 0},
          self.grad_clip);
  }

  template <typename Visitor, typename Self>
  static void visit_reports(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Reports and checkpoints (an interval of 0 means never)";
    const auto interval = [&](const char* name, const char* help, auto& member) {
      visit(FieldInfo{.name = name, .group = kGroup, .help = help, .min = 0, .max = kMaxSteps}, member);
    };
    interval("log_interval", "Steps between lines with loss and learning rate", self.log_interval);
    interval("eval_interval", "Steps between evaluations", self.eval_interval);
    visit(FieldInfo{.name = "eval_iters",
                    .group = kGroup,
                    .help = "Batches of each split in an evaluation",
                    .min = 1,
                    .max = 1e6},
          self.eval_iters);
    interval("stats_interval", "Steps between gradient statistics of every tensor", self.stats_interval);
    interval("sample_interval", "Steps between samples of text", self.sample_interval);
    visit(FieldInfo{.name = "sample_tokens",
                    .group = kGroup,
                    .help = "Tokens in such a sample",
                    .min = 1,
                    .max = 1e6},
          self.sample_tokens);
    visit(FieldInfo{.name = "sample_prompt", .group = kGroup, .help = "Text that such a sample continues"},
          self.sample_prompt);
    interval("save_interval", "Steps between checkpoints; one is always written at the end",
             self.save_interval);
    visit(FieldInfo{.name = "keep_checkpoints",
                    .group = kGroup,
                    .help = "Checkpoints kept besides the best one",
                    .min = 2,
                    .max = 1e6},
          self.keep_checkpoints);
  }
};

}  // namespace vkgpt::train
