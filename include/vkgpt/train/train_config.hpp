#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/conversation_fields.hpp"
#include "vkgpt/train/rank_fields.hpp"
#include "vkgpt/train/train_fields.hpp"

namespace vkgpt::train {

/// The settings of a training run; the architecture is in `model::GptConfig`.
struct TrainConfig {
  std::string data_path;
  std::string memmap_dataset;
  std::string tokenizer;
  std::int64_t bpe_vocab_size = 8192;
  bool special = false;
  std::string out_dir = "out";
  double val_fraction = 0.1;
  bool resume = false;
  bool allow_other_data = false;

  std::int64_t max_steps = 2000;
  std::int64_t batch_size = 64;  ///< B, sequences in a micro-step; 0 = as many as the device's memory holds
  std::int64_t grad_accum_steps = 1;
  std::string batch_order = "random";
  std::uint64_t seed = 1337;

  std::string pack = "auto";  ///< settled by `RunSetup`; else auto is none
  std::string train_on = "responses";
  std::string overlong = "truncate";
  std::string bad_data = "error";
  std::string chat_template = "auto";
  std::int64_t chat_time = 0;  ///< seconds since 1970; settled by `RunSetup` where there are conversations

  std::string objective = "tokens";
  double dpo_beta = 0.1;
  double dpo_label_smoothing = 0;

  double learning_rate = 1e-3;
  double min_lr = -1;  ///< -1 = a tenth of learning_rate, see `end_rate`
  std::string lr_schedule = "cosine";
  std::int64_t warmup_steps = 100;
  std::int64_t lr_decay_steps = 0;  ///< 0 = max_steps
  double wsd_decay_fraction = 0.2;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double adam_eps = 1e-8;
  double grad_clip = 1.0;
  std::string optimizer = "adamw";
  double muon_momentum = 0.95;
  std::int64_t muon_steps = 5;

  double dropout = 0;
  double label_smoothing = 0;
  double z_loss = 0;
  bool ema = false;
  double ema_decay = 0.999;
  bool curriculum = false;
  std::int64_t curriculum_start_block_size = 32;
  double curriculum_fraction = 0.5;

  std::string amp = "off";
  std::string grad_checkpoint = "auto";
  std::string offload = "none";

  std::string sum_order = "rank";
  std::string wire = "f32";
  double bucket_mib = 25;
  std::string balance = "even";
  double comm_timeout = 300;
  std::string sync = "step";
  std::int64_t sync_every = 100;
  double outer_lr = 0.7;
  double outer_momentum = -1;  ///< -1 = by the number of rounds
  std::int64_t outer_bits = 32;

  std::string init_from;
  std::string init_adapter;
  bool keep_optimizer = false;
  std::string freeze;
  std::int64_t lora_rank = 0;
  double lora_alpha = 16;
  bool lora_rank_stabilized = false;
  double lora_dropout = 0;
  std::string lora_targets = "c_attn,attn.c_proj,c_fc,mlp.c_proj";
  std::string base_dtype = "f32";

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
  /// And those that contradict the model.
  void validate(const model::GptConfig& model) const;

  /// The learning rate at the end of the schedule.
  double end_rate() const { return min_lr == -1 ? learning_rate / 10 : min_lr; }
  /// Whether ranks train apart for rounds of steps.
  bool is_diloco() const { return sync == "diloco"; }
  /// Whether what blocks keep for the backward waits in host memory.
  bool offloads() const { return offload == "activations"; }
  /// Whether it learns from pairs of replies.
  bool is_dpo() const { return objective == "dpo"; }

  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    TrainFields::visit_data(visit, self);
    TrainFields::visit_steps(visit, self);
    ConversationFields::visit(visit, self);
    TrainFields::visit_optimizer(visit, self);
    TrainFields::visit_schedule(visit, self);
    TrainFields::visit_update(visit, self);
    TrainFields::visit_regularization(visit, self);
    TrainFields::visit_memory(visit, self);
    RankFields::visit_exchange(visit, self);
    RankFields::visit_rounds(visit, self);
    TrainFields::visit_fine_tuning(visit, self);
    TrainFields::visit_reports(visit, self);
  }
};

}  // namespace vkgpt::train
