#include <algorithm>
#include <chrono>
#include <optional>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/status_line.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/corpus/dataset.hpp"
#include "vkgpt/text/model_fields.hpp"
#include "vkgpt/train/evaluator.hpp"
#include "vkgpt/train/progress.hpp"
#include "vkgpt/train/train_data.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/eval_task.hpp"
#include "cli/model/open_model.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

struct EvalOptions {
  std::string model;
  std::string data_path;
  std::string memmap_dataset;
  std::string split = "val";
  std::int64_t batch_size = 16;
  std::int64_t block_size = 0;
  bool special = false;
  bool use_ema = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Evaluation";
    visit(FieldInfo{.name = "model", .group = kGroup, .help = "Run directory or checkpoint"}, self.model);
    visit(FieldInfo{.name = "data_path",
                    .group = kGroup,
                    .help = "Text file, evaluated from end to end, or prepared data"},
          self.data_path);
    visit(FieldInfo{.name = "memmap_dataset",
                    .group = kGroup,
                    .help = "Instead: token files of the model's tokenizer, as a file, directory or glob"},
          self.memmap_dataset);
    visit(FieldInfo{.name = "split",
                    .group = kGroup,
                    .help = "Which part of prepared data and token files; train where val is empty",
                    .choices = "train|val"},
          self.split);
    visit(FieldInfo{.name = "batch_size",
                    .group = kGroup,
                    .help = "Windows of block_size tokens that are evaluated at once",
                    .min = 1,
                    .max = 1 << 16},
          self.batch_size);
    visit(FieldInfo{.name = "block_size",
                    .group = kGroup,
                    .help = "Tokens in a window; 0: the model's context, which is also the most",
                    .min = 0,
                    .max = 1 << 20},
          self.block_size);
    visit(FieldInfo{.name = "special",
                    .group = kGroup,
                    .help = "Names of special tokens in the text become those tokens"},
          self.special);
    visit(text::use_ema_field(kGroup), self.use_ema);
  }
};

/// What is evaluated, in tokens of the model's tokenizer.
text::Corpus open_corpus(const EvalOptions& options, text::Tokenizer& tokenizer) {
  if (!options.memmap_dataset.empty()) {
    return text::Corpus::open_shards(options.memmap_dataset, tokenizer.vocab_size(), 0);
  }
  if (text::is_dataset(options.data_path)) return text::Corpus::open_dataset(options.data_path, tokenizer);
  if (options.special) tokenizer.find_special_names();
  return text::Corpus::encode(text::read_text(options.data_path), tokenizer, 0, options.data_path);
}

/// Bytes of the text of all tokens but the first, which is not predicted. Ends of documents are no text.
std::uint64_t text_bytes(const text::TokenView& tokens, const text::Tokenizer& tokenizer) {
  std::vector<std::uint32_t> lengths(static_cast<std::size_t>(tokenizer.vocab_size()));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto token = static_cast<text::Token>(i);
    if (token != tokenizer.end_of_text()) {
      lengths[i] = static_cast<std::uint32_t>(tokenizer.decode_more({&token, 1}).size());
    }
  }
  std::uint64_t bytes = 0;
  std::vector<text::Token> part;
  for (std::size_t at = 1; at < tokens.size(); at += part.size()) {
    part.resize(std::min<std::size_t>(tokens.size() - at, 1 << 16));
    tokens.copy(at, part);
    for (const text::Token token : part) bytes += lengths[static_cast<std::size_t>(token)];
  }
  return bytes;
}

/// The evaluation with a progress line; nothing when interrupted. A step takes `step_tokens`.
std::optional<train::Evaluation> evaluate(train::Evaluator& evaluator, const text::TokenView& tokens,
                                          std::int64_t step_tokens) {
  StatusLine line;
  const auto start = std::chrono::steady_clock::now();
  const auto all = static_cast<double>(tokens.size());
  double done = 0;
  return evaluator.evaluate(tokens, [&] {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double share = std::min(1.0, done / all);
    if (line.due()) {
      line.show(share,
                vkgpt::format("{:.1f}% | {} tok/s | eta {}", 100 * share, train::format_count(done / seconds),
                              train::format_duration(seconds * (1 / share - 1))));
    }
    done += static_cast<double>(step_tokens);
    return !interrupted();
  });
}

OpenModel open_evaluated(const EvalOptions& options) {
  OpenModel open = open_model(options.model, options.use_ema);
  if (options.block_size > open.model.params.config().block_size) {
    fail_usage("--block_size {}: the model's context is {}", options.block_size,
               open.model.params.config().block_size);
  }
  if (options.block_size > 0) model::shorten_context(open.model, options.block_size);
  return open;
}

int evaluate_task(const EvalOptions& options, const TaskOptions& task, const RunOptions& run) {
  if (!options.data_path.empty() || !options.memmap_dataset.empty()) {
    fail_usage("--task and a text are both given: one of them is measured");
  }
  return run_eval_task(task, open_evaluated(options), options.batch_size, run);
}

}  // namespace

int run_eval(std::span<const std::string> args) {
  EvalOptions options;
  TaskOptions task;
  RunOptions run;
  CommandLine command(
      "eval", "Measures a model on a text (loss, perplexity, bits per byte) or on questions (--task).");
  command.add(options).add(task).add(run);
  if (!command.parse(args)) return 0;
  install_interrupt_handlers();

  if (!task.task.empty()) return evaluate_task(options, task, run);
  if (!options.data_path.empty() && !options.memmap_dataset.empty()) {
    fail_usage("--data_path and --memmap_dataset are both given: one of them is the data");
  }
  const std::string name = options.memmap_dataset.empty() ? options.data_path : options.memmap_dataset;
  if (options.memmap_dataset.empty()) train::check_data_path(options.data_path);
  const OpenModel open = open_evaluated(options);
  const model::GptConfig& config = open.model.params.config();
  const text::Corpus corpus = open_corpus(options, *open.tokenizer);
  const bool is_validation = options.split == "val" && corpus.validation().size() > 0;
  const text::TokenView tokens = is_validation ? corpus.validation() : corpus.train();
  if (tokens.size() < 2) fail("{} has {} tokens; at least two are needed", name, tokens.size());
  const auto windows = static_cast<std::int64_t>(tokens.size() - 2) / config.block_size + 1;

  vk::Context context(context_options(run));
  train::Evaluator evaluator(context, open.model.params, std::min(options.batch_size, windows),
                             open.model.arena);
  const auto start = std::chrono::steady_clock::now();
  const auto result = evaluate(evaluator, tokens, config.block_size * std::min(options.batch_size, windows));
  context.instance().check_messages();
  if (!result) return static_cast<int>(ExitCode::kInterrupted);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::uint64_t bytes = text_bytes(tokens, *open.tokenizer);
  const double tokens_per_second = static_cast<double>(result->predicted) / seconds;
  if (run.json) {
    const nlohmann::ordered_json record = {{"model", open.directory.string()},
                                           {"data_path", name},
                                           {"loss", result->loss()},
                                           {"perplexity", result->perplexity()},
                                           {"bits_per_byte", result->bits_per_byte(bytes)},
                                           {"tokens", result->predicted},
                                           {"bytes", bytes},
                                           {"block_size", config.block_size},
                                           {"seconds", seconds},
                                           {"tokens_per_second", tokens_per_second}};
    std::print("{}\n", record.dump());
    return 0;
  }
  std::print(
      "model          {}\ntext           {}: {} tokens in windows of {}\nloss           {:.4f} nats per "
      "token\n"
      "perplexity     {:.4f}\nbits per byte  {:.4f}\n",
      printable(open.directory.string(), 200), printable(name, 200), tokens.size(), config.block_size,
      result->loss(), result->perplexity(), result->bits_per_byte(bytes));
  return 0;
}

}  // namespace vkgpt::cli
