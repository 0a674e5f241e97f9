#include <algorithm>
#include <format>
#include <memory>
#include <optional>
#include <print>
#include <string>

#include <nlohmann/json.hpp>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/train/recovery.hpp"
#include "vkgpt/train/resume.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "cli/command/arguments.hpp"
#include "cli/command/command_line.hpp"
#include "cli/command/commands.hpp"
#include "cli/command/presets.hpp"
#include "cli/command/run_options.hpp"
#include "cli/model/generate.hpp"
#include "cli/train/train_data.hpp"

namespace vkgpt::cli {
namespace {

constexpr const char* kEffectiveConfig = "effective_config.json";

struct TrainOptions {
  bool generate_only = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "generate_only",
                    .group = "Data and run directory",
                    .help = "Train nothing: continue --prompt with out_dir's model, as 'generate' does"},
          self.generate_only);
  }
};

/// `train --generate_only` takes the flags of both commands.
int run_generate_only(std::span<const std::string> args) {
  text::GenerateConfig config;
  text::SamplerConfig sampling;
  RunOptions run;
  TrainOptions options;
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig train;
  CommandLine command("train", "Continues a prompt with the model of a run directory.");
  command.add(config).add(sampling).add(run).add(options).add(preset).add_missing(model).add_missing(train);
  if (!command.parse(args)) return 0;
  if (config.model.empty()) config.model = train.out_dir;
  return generate(config, sampling, run);
}

bool asks_generate_only(std::span<const std::string> args) {
  return std::ranges::any_of(args, [](const std::string& arg) {
    const std::string flag = canonical_key(arg);
    return flag == "__generate_only" || flag == "__generate_only=true";
  });
}

nlohmann::ordered_json optional_json(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

void print_summary(const train::TrainSummary& summary, const model::GptConfig& model,
                   const std::string& out_dir, bool json) {
  if (!json) {
    log_info("{} after {} steps in {:.1f} s; val loss {}, best {}; checkpoints in {}",
             summary.interrupted ? "interrupted" : "trained", summary.steps, summary.seconds,
             summary.val_loss ? std::format("{:.4f}", *summary.val_loss) : "n/a",
             summary.best_val_loss ? std::format("{:.4f}", *summary.best_val_loss) : "n/a", out_dir);
    return;
  }
  const nlohmann::ordered_json record = {{"steps", summary.steps},
                                         {"interrupted", summary.interrupted},
                                         {"train_loss", summary.train_loss},
                                         {"val_loss", optional_json(summary.val_loss)},
                                         {"best_val_loss", optional_json(summary.best_val_loss)},
                                         {"seconds", summary.seconds},
                                         {"first_step_seconds", summary.first_step_seconds},
                                         {"tokens_per_second", summary.tokens_per_second},
                                         {"parameters", model::GptParams(model).parameter_count()},
                                         {"device_bytes", summary.device_bytes},
                                         {"out_dir", out_dir}};
  std::print("{}\n", record.dump());
}

/// The checkpoint that the run goes on from.
std::optional<train::Checkpoint> find_checkpoint(const train::TrainConfig& config,
                                                 train::CheckpointStore& checkpoints) {
  if (config.resume) {
    std::optional<train::Checkpoint> checkpoint = checkpoints.newest();
    if (!checkpoint) log_info("{} holds no checkpoint yet: starting from the beginning", config.out_dir);
    return checkpoint;
  }
  if (!checkpoints.empty()) {
    fail_usage("{} already holds checkpoints: give --resume to continue them, or another --out_dir",
               config.out_dir);
  }
  return std::nullopt;
}

/// The architecture of `origin`, which flags may repeat but not change; only the context that a new run
/// starts with may be shorter.
model::GptConfig model_of(const Path& origin, const FieldSet& given, const model::GptConfig& asked,
                          bool resumes) {
  model::GptConfig loaded = model::read_model_config(origin);
  if (!resumes && given.was_set("block_size") && asked.block_size < loaded.block_size) {
    log_info("block_size {} of the {} that {} has", asked.block_size, loaded.block_size, origin.string());
    loaded = model::with_shorter_context(loaded, asked.block_size);
  }
  const FieldSet fields(loaded);
  for (const Field& field : fields.fields()) {
    if (given.was_set(field.info.name) && given.find(field.info.name)->text() != field.text()) {
      fail_usage("{} = {}: {} has {}; {} brings the model's shape", field.info.name,
                 given.find(field.info.name)->text(), origin.string(), field.text(),
                 resumes ? "--resume" : "--init_from");
    }
  }
  return loaded;
}

/// Refuses, before anything is changed, a continuation that the run does not allow, and says what it changes.
/// Gives the step that is reached.
std::int64_t check_continuation(const train::Checkpoint& checkpoint, const model::GptConfig& model,
                                const train::TrainConfig& config, const CommandLine& command,
                                const TrainData& data) {
  const train::TrainerState state = train::resume_state(checkpoint, model, config, data.corpus.fingerprint());
  for (const CommandLine::Change& change : command.changes()) {
    log_info("{}: {} -> {}", change.name, printable(change.before, 200), printable(change.after, 200));
  }
  const auto step = static_cast<std::int64_t>(state.step);
  if (step >= config.max_steps) {
    log_info("{} is at step {} already, --max_steps is {}: nothing is left to train", config.out_dir, step,
             config.max_steps);
  }
  return step;
}

/// V of a new model is the tokenizer's; a model that is continued may have more, as padding.
void settle_vocabulary(model::GptConfig& model, const TrainData& data, const std::optional<Path>& origin) {
  const std::int64_t V = data.tokenizer->vocab_size();
  if (model.vocab_size != 0 && model.vocab_size < V) {
    fail_usage("vocab_size is {} in the configuration, but {} has a vocabulary of {}", model.vocab_size,
               data.name, V);
  }
  if (!origin && model.vocab_size > V) {
    log_info("vocab_size: {} instead of the configuration's {}, as many as {} has", V, model.vocab_size,
             data.name);
  }
  model.vocab_size = origin ? model::read_model_config(*origin).vocab_size : V;
}

/// The first token of the data, where the tokenizer has no word for the default prompt.
std::string usable_prompt(const std::string& prompt, const TrainData& data) {
  try {
    if (!data.tokenizer->encode(prompt).empty()) return prompt;
  } catch (const Error&) {
    // A vocabulary of characters may lack one of them.
  }
  text::Token first = 0;
  data.corpus.train().copy(0, {&first, 1});
  return data.tokenizer->decode({&first, 1});
}

}  // namespace

int run_train(std::span<const std::string> args) {
  if (asks_generate_only(args)) return run_generate_only(args);
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig config;
  TrainOptions options;
  RunOptions run;
  CommandLine command("train", "Trains a GPT on a text.");
  command.add(preset).add(model).add(config).add(options).add(run);
  command.continue_from(kEffectiveConfig);
  if (!command.parse(args)) return 0;
  if (options.generate_only) return run_generate_only(args);
  model.validate();
  config.validate();
  if (config.data_path.empty() && config.memmap_dataset.empty()) {
    fail_usage(
        "--data_path is missing: give a text file, or fetch one with 'vkgpt data get tinyshakespeare'");
  }
  if (!config.data_path.empty() && !config.memmap_dataset.empty()) {
    fail_usage("--data_path and --memmap_dataset are both given: one of them is the data");
  }
  install_interrupt_handlers();

  if (config.memmap_dataset.empty()) check_data_path(config.data_path);
  train::CheckpointStore checkpoints(config.out_dir, static_cast<int>(config.keep_checkpoints));
  const std::optional<train::Checkpoint> checkpoint = find_checkpoint(config, checkpoints);
  std::optional<Path> origin;  // the directory whose model the run goes on with, or starts from
  if (checkpoint) {
    origin = checkpoint->directory;
  } else if (!config.init_from.empty()) {
    origin = train::find_model_directory(config.init_from);
  }
  if (origin) model = model_of(*origin, command.fields(), model, checkpoint.has_value());
  config.validate(model);
  if (config.tokenizer == "bpe" && model.vocab_size > 0 && !command.fields().was_set("bpe_vocab_size")) {
    config.bpe_vocab_size = model.vocab_size;
  }
  const TrainData data = open_train_data(config, origin);
  data.corpus.check_length(model.block_size, data.name);
  settle_vocabulary(model, data, origin);
  if (!command.fields().was_set("sample_prompt")) {
    config.sample_prompt = usable_prompt(config.sample_prompt, data);
  }
  const std::int64_t reached = checkpoint ? check_continuation(*checkpoint, model, config, command, data) : 0;
  if (reached < config.max_steps) {
    replace_file(Path(config.out_dir) / kEffectiveConfig, to_json(command.fields()).dump(2) + "\n");
    for (const text::TokenizerFile& file : data.tokenizer->files()) {
      replace_file(Path(config.out_dir) / file.name, file.contents);
    }
  }
  const auto open_device = [&] {
    auto context = std::make_unique<vk::Context>(context_options(run));
    log_info("device: {} ({})", context->caps().name, context->caps().driver);
    if (vk::read_kernel_record(vk::default_cache_dir(), context->caps()).tested.empty()) {
      log_info("its kernels were never checked: 'vkgpt selftest' does it in seconds");
    }
    const model::GptParams params(model, train::adaptation(config));
    const std::int64_t trained = params.trainable_count();
    log_info("{}: {} training tokens, {} for validation, vocabulary {}; {:.2f} M parameters{}", data.name,
             data.corpus.train().size(), data.corpus.validation().size(), model.vocab_size,
             static_cast<double>(params.parameter_count()) / 1e6,
             trained == params.parameter_count()
                 ? ""
                 : std::format(", {:.3f} M of them trained", static_cast<double>(trained) / 1e6));
    return context;
  };
  const train::TrainSummary summary =
      train::train_with_recovery(open_device, model, config, *data.tokenizer, data.corpus, checkpoints);
  print_summary(summary, model, config.out_dir, run.json);
  return static_cast<int>(summary.interrupted ? ExitCode::kInterrupted : ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
