#pragma once

#include <limits>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::train {

/// The names, ranges and help of `TrainConfig`'s fields, group by group.
struct TrainFields {
  static constexpr double kMaxSteps = 1e12;
  static constexpr auto kOptimizerGroup = "Optimizer and schedule";

  template <typename Visitor, typename Self>
  static void visit_data(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Data and run directory";
    visit(FieldInfo{.name = "data_path",
                    .group = kGroup,
                    .help = "Text file to train on (UTF-8), or a directory that 'vkgpt data prepare' made"},
          self.data_path);
    visit(FieldInfo{.name = "memmap_dataset",
                    .group = kGroup,
                    .help = "Instead: nanoGPT's or llm.c's token files, as a file, directory or glob"},
          self.memmap_dataset);
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "char, byte, bpe (trained on the text), gpt2, a file or directory; empty: the "
                            "model's or data's own, else char"},
          self.tokenizer);
    visit(FieldInfo{.name = "bpe_vocab_size",
                    .group = kGroup,
                    .help = "Tokens that --tokenizer bpe learns",
                    .min = 257,
                    .max = 1 << 20},
          self.bpe_vocab_size);
    visit(FieldInfo{.name = "special",
                    .group = kGroup,
                    .help = "Names of special tokens in the text become those tokens"},
          self.special);
    visit(
        FieldInfo{.name = "out_dir", .group = kGroup, .help = "Run directory: checkpoints, metrics, samples"},
        self.out_dir);
    visit(FieldInfo{.name = "val_fraction",
                    .group = kGroup,
                    .help = "Share of the text, at its end, kept for validation",
                    .min = 0,
                    .max = 0.9},
          self.val_fraction);
    visit(FieldInfo{.name = "resume",
                    .group = kGroup,
                    .help = "Continue from the newest valid checkpoint in out_dir"},
          self.resume);
    visit(FieldInfo{.name = "allow_other_data",
                    .group = kGroup,
                    .help = "Let --resume go on with another text than the run was trained on"},
          self.allow_other_data);
  }

  template <typename Visitor, typename Self>
  static void visit_steps(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Steps and batches";
    visit(FieldInfo{.name = "max_steps",
                    .group = kGroup,
                    .help = "Optimizer steps in the whole run",
                    .min = 1,
                    .max = kMaxSteps},
          self.max_steps);
    visit(FieldInfo{.name = "batch_size",
                    .group = kGroup,
                    .help = "Sequences in a micro-step; auto: as many as fit the device's memory",
                    .min = 0,
                    .max = 1 << 20,
                    .zero_name = "auto"},
          self.batch_size);
    visit(FieldInfo{.name = "grad_accum_steps",
                    .group = kGroup,
                    .help = "Micro-steps whose gradients are averaged in one step",
                    .min = 1,
                    .max = 1 << 20},
          self.grad_accum_steps);
    visit(FieldInfo{.name = "batch_order",
                    .group = kGroup,
                    .help = "Crops drawn anywhere, or every window once an epoch, shuffled or in order",
                    .choices = "random|shuffled|sequential"},
          self.batch_order);
    visit(FieldInfo{.name = "seed", .group = kGroup, .help = "Decides initialization and the order of data"},
          self.seed);
  }

  template <typename Visitor, typename Self>
  static void visit_optimizer(Visitor& visit, Self& self) {
    visit(FieldInfo{.name = "optimizer",
                    .group = kOptimizerGroup,
                    .help = "AdamW, also with 8-bit moments, Lion, Muon for matrices",
                    .choices = "adamw|adamw8|lion|muon"},
          self.optimizer);
    visit(FieldInfo{.name = "muon_momentum",
                    .group = kOptimizerGroup,
                    .help = "Muon's momentum",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.muon_momentum);
    visit(FieldInfo{.name = "muon_steps",
                    .group = kOptimizerGroup,
                    .help = "Muon's Newton-Schulz steps, 5 or 3: three cost less and are less exact",
                    .min = 3,
                    .max = 5},
          self.muon_steps);
  }

  template <typename Visitor, typename Self>
  static void visit_schedule(Visitor& visit, Self& self) {
    visit(FieldInfo{.name = "learning_rate",
                    .group = kOptimizerGroup,
                    .help = "Learning rate after warm-up",
                    .min = 0,
                    .max = 1e3},
          self.learning_rate);
    visit(FieldInfo{.name = "min_lr",
                    .group = kOptimizerGroup,
                    .help = "Learning rate at the end of the schedule; -1 is a tenth of learning_rate",
                    .min = -1,
                    .max = 1e3},
          self.min_lr);
    visit(FieldInfo{.name = "lr_schedule",
                    .group = kOptimizerGroup,
                    .help = "Learning rate after warm-up (wsd: stable, then linear)",
                    .choices = "cosine|wsd|linear|constant"},
          self.lr_schedule);
    visit(FieldInfo{.name = "warmup_steps",
                    .group = kOptimizerGroup,
                    .help = "Steps of linear warm-up",
                    .min = 0,
                    .max = kMaxSteps},
          self.warmup_steps);
    visit(FieldInfo{.name = "lr_decay_steps",
                    .group = kOptimizerGroup,
                    .help = "Step at which the schedule reaches min_lr; 0 means max_steps",
                    .min = 0,
                    .max = kMaxSteps},
          self.lr_decay_steps);
    visit(FieldInfo{.name = "wsd_decay_fraction",
                    .group = kOptimizerGroup,
                    .help = "Share of the schedule, at its end, in which wsd decays",
                    .min = 0,
                    .max = 1},
          self.wsd_decay_fraction);
  }

  template <typename Visitor, typename Self>
  static void visit_update(Visitor& visit, Self& self) {
    visit(FieldInfo{.name = "weight_decay",
                    .group = kOptimizerGroup,
                    .help = "AdamW's decay, on matrices and embeddings only",
                    .min = 0,
                    .max = 1e3},
          self.weight_decay);
    visit(FieldInfo{.name = "beta1",
                    .group = kOptimizerGroup,
                    .help = "AdamW's decay of the first moment",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.beta1);
    visit(FieldInfo{.name = "beta2",
                    .group = kOptimizerGroup,
                    .help = "AdamW's decay of the second moment",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.beta2);
    visit(FieldInfo{.name = "adam_eps",
                    .group = kOptimizerGroup,
                    .help = "AdamW's epsilon",
                    .min = std::numeric_limits<float>::min(),  // less is 0 on the device
                    .max = 1},
          self.adam_eps);
    visit(FieldInfo{.name = "grad_clip",
                    .group = kOptimizerGroup,
                    .help = "Largest global gradient norm; 0 turns clipping off",
                    .min = 0},
          self.grad_clip);
  }

  template <typename Visitor, typename Self>
  static void visit_regularization(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Regularization and curriculum";
    visit(FieldInfo{.name = "dropout",
                    .group = kGroup,
                    .help = "Probability: embedding, attention probabilities, both branches",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.dropout);
    visit(FieldInfo{.name = "label_smoothing",
                    .group = kGroup,
                    .help = "Share of the target spread over the vocabulary",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.label_smoothing);
    visit(FieldInfo{.name = "z_loss",
                    .group = kGroup,
                    .help = "Weight of the squared log of the softmax's sum",
                    .min = 0,
                    .max = 1},
          self.z_loss);
    visit(
        FieldInfo{
            .name = "ema", .group = kGroup, .help = "Keep, evaluate and save an average of the weights"},
        self.ema);
    visit(FieldInfo{.name = "ema_decay",
                    .group = kGroup,
                    .help = "Share of the average that a step keeps",
                    .min = 0,
                    .max = 1,
                    .min_open = true,
                    .max_open = true},
          self.ema_decay);
    visit(FieldInfo{.name = "curriculum",
                    .group = kGroup,
                    .help = "Begin with short contexts, doubled in stages to block_size"},
          self.curriculum);
    visit(FieldInfo{.name = "curriculum_start_block_size",
                    .group = kGroup,
                    .help = "Context length of the first stage",
                    .min = 1,
                    .max = 1 << 20},
          self.curriculum_start_block_size);
    visit(FieldInfo{.name = "curriculum_fraction",
                    .group = kGroup,
                    .help = "Share of the steps before the full context",
                    .min = 0,
                    .max = 1},
          self.curriculum_fraction);
  }

  template <typename Visitor, typename Self>
  static void visit_memory(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Precision and memory";
    visit(FieldInfo{.name = "amp",
                    .group = kGroup,
                    .help = "Type of activations and matrix products; auto: the device's best",
                    .choices = "off|fp16|bf16|auto"},
          self.amp);
    visit(FieldInfo{.name = "grad_checkpoint",
                    .group = kGroup,
                    .help = "Compute again in the backward; auto: block with --base_dtype or --offload",
                    .choices = "auto|none|block|attention"},
          self.grad_checkpoint);
    visit(FieldInfo{.name = "offload",
                    .group = kGroup,
                    .help = "activations: what blocks keep for the backward waits in host memory",
                    .choices = "none|activations"},
          self.offload);
  }

  template <typename Visitor, typename Self>
  static void visit_fine_tuning(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Fine-tuning";
    visit(FieldInfo{.name = "init_from", .group = kGroup, .help = "Model to start from, tokenizer too"},
          self.init_from);
    visit(FieldInfo{.name = "init_adapter",
                    .group = kGroup,
                    .help = "Adapters to train on: a PEFT directory, a run or a GGUF file. They bring rank, "
                            "scale and targets"},
          self.init_adapter);
    visit(FieldInfo{.name = "keep_optimizer", .group = kGroup, .help = "Take its optimizer state too"},
          self.keep_optimizer);
    visit(FieldInfo{.name = "freeze", .group = kGroup, .help = "Parameters to leave alone: h.0.*,wte.weight"},
          self.freeze);
    visit(FieldInfo{.name = "lora_rank",
                    .group = kGroup,
                    .help = "Train low-rank adapters of this rank only; 0: none",
                    .min = 0,
                    .max = 4096},
          self.lora_rank);
    visit(FieldInfo{.name = "lora_alpha",
                    .group = kGroup,
                    .help = "Adapters are scaled by lora_alpha / lora_rank",
                    .min = 0,
                    .max = 1e6,
                    .min_open = true},
          self.lora_alpha);
    visit(FieldInfo{.name = "lora_rank_stabilized", .group = kGroup, .help = "Scale as rsLoRA does"},
          self.lora_rank_stabilized);
    visit(FieldInfo{.name = "lora_dropout",
                    .group = kGroup,
                    .help = "Share of the numbers that adapters read which is dropped",
                    .min = 0,
                    .max = 1,
                    .max_open = true},
          self.lora_dropout);
    visit(FieldInfo{.name = "base_dtype",
                    .group = kGroup,
                    .help = "Type in which matrices that --lora_rank freezes are held",
                    .choices = "f32|f16|bf16|q8_0|nf4|q4_0"},
          self.base_dtype);
    visit(FieldInfo{.name = "lora_targets", .group = kGroup, .help = "Layers that get adapters"},
          self.lora_targets);
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
