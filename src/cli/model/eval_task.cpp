#include "cli/model/eval_task.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <print>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/status_line.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/task/multiple_choice.hpp"
#include "vkgpt/train/text_scorer.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::cli {
namespace {

/// The log-likelihoods of the answers of questions, by number.
using Scores = std::map<std::size_t, std::vector<double>>;

/// What all questions' results depend on besides the questions: the weights as they are used, the context,
/// and the examples.
std::string fingerprint_of_all(const TaskOptions& options, const OpenModel& open,
                               std::span<const text::ChoiceItem> pool) {
  Sha256 hash;
  hash.update(vkgpt::format("{}\n{}\n{}\n{}\n", open.directory.string(), options.few_shot,
                            options.few_shot_data, open.model.params.config().block_size));
  hash.update(std::as_bytes(std::span(open.model.arena)));
  if (options.few_shot == 0) return hash.hex();
  for (const text::ChoiceItem& item : pool) {
    hash.update(vkgpt::format("{}\n{}\n{}\n", item.subject, item.query, item.gold));
    for (const std::string& choice : item.choices) hash.update(choice + "\n");
  }
  return hash.hex();
}

/// What a question's line must agree with to be taken over.
std::string fingerprint(const std::string& of_all, const text::ChoiceItem& item) {
  std::string all = vkgpt::format("{}\n{}", of_all, item.query);
  for (const std::string& choice : item.choices) all += "\n" + choice;
  return sha256(all).substr(0, 16);
}

/// What an earlier run wrote. A last line that was cut off counts for nothing.
Scores read_results(const TaskOptions& options, const std::string& of_all,
                    std::span<const text::ChoiceItem> items) {
  Scores scores;
  std::error_code error;
  if (options.results.empty() || !std::filesystem::exists(options.results, error)) return scores;
  const std::string bytes = read_file(options.results);
  const std::string name = printable(options.results, 200);
  std::size_t number = 0;
  for (std::size_t begin = 0, end = 0; (end = bytes.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const std::string where = vkgpt::format("{}: line {}", name, ++number);
    const Json json = parse_json(std::string_view(bytes).substr(begin, end - begin), where);
    const std::size_t index = json_unsigned(json, "question", where);
    if (index >= items.size()) continue;
    if (json_string(json, "of", where) != fingerprint(of_all, items[index])) {
      fail_usage("{} is of other weights, context, questions or examples: give another --results", where);
    }
    const Json& list = json_member(json, "log_likelihoods", where);
    std::vector<double> values;
    for (const Json& value : list) {
      if (!value.is_number()) fail("{}: \"log_likelihoods\" must be numbers", where);
      values.push_back(value.get<double>());
    }
    if (values.size() != items[index].choices.size()) fail("{}: {} log-likelihoods", where, values.size());
    scores[index] = std::move(values);
  }
  return scores;
}

/// The file of results, without a line that was cut off.
class ResultsFile {
 public:
  explicit ResultsFile(const std::string& path) {
    if (path.empty()) return;
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      const std::string bytes = read_file(path);
      const std::size_t whole = bytes.rfind('\n') + 1;
      if (whole != bytes.size()) std::filesystem::resize_file(path, whole);
    }
    out_.emplace(path, std::ios::app | std::ios::binary);
    if (!*out_) fail("{} cannot be written", printable(path, 200));
    path_ = path;
  }

  void write(const nlohmann::ordered_json& record) {
    if (!out_) return;
    *out_ << record.dump() << '\n' << std::flush;
    if (!*out_) fail("{} cannot be written", printable(path_, 200));
  }

 private:
  std::optional<std::ofstream> out_;
  std::string path_;
};

/// The examples before a question: the first ones of its subject in their file, but not the question itself.
std::vector<text::ChoiceItem> examples_of(std::span<const text::ChoiceItem> pool, const TaskOptions& options,
                                          std::span<const text::ChoiceItem> items, std::size_t index) {
  std::vector<text::ChoiceItem> examples;
  for (std::size_t i = 0; i < pool.size() && std::ssize(examples) < options.few_shot; ++i) {
    if (pool[i].subject != items[index].subject) continue;
    if (!options.few_shot_data.empty() || i != index) examples.push_back(pool[i]);
  }
  if (std::ssize(examples) < options.few_shot) {
    fail_usage("--few_shot {}: there are {} other questions{}{}", options.few_shot, examples.size(),
               items[index].subject.empty() ? "" : " about ", printable(items[index].subject));
  }
  return examples;
}

/// Scores what is left, some questions at a time; false when interrupted.
bool score_rest(const TaskOptions& options, const OpenModel& open, std::int64_t batch_size,
                const RunOptions& run, std::span<const text::ChoiceItem> items,
                std::span<const text::ChoiceItem> pool, const std::string& of_all, Scores& scores) {
  if (scores.size() == items.size()) return true;
  vk::Context context(context_options(run));
  train::TextScorer scorer(context, open.model.params, batch_size, open.model.arena);
  ResultsFile file(options.results);
  StatusLine line;
  constexpr std::size_t kQuestions = 32;
  for (std::size_t next = 0; next < items.size();) {
    std::vector<std::size_t> asked;
    std::vector<text::ScoredText> texts;
    for (; next < items.size() && asked.size() < kQuestions; ++next) {
      if (scores.contains(next)) continue;
      asked.push_back(next);
      std::ranges::move(text::scored_texts(items[next], examples_of(pool, options, items, next),
                                           *open.tokenizer, scorer.longest()),
                        std::back_inserter(texts));
    }
    const auto sums = scorer.log_likelihoods(texts, [] { return !interrupted(); });
    if (!sums) return false;
    std::size_t at = 0;
    for (const std::size_t index : asked) {
      const std::size_t count = items[index].choices.size();
      std::vector<double> values(sums->begin() + static_cast<std::ptrdiff_t>(at),
                                 sums->begin() + static_cast<std::ptrdiff_t>(at + count));
      at += count;
      file.write({{"question", index},
                  {"of", fingerprint(of_all, items[index])},
                  {"log_likelihoods", values},
                  {"choice", text::best_choice(values)},
                  {"choice_by_length", text::best_choice_by_length(values, items[index])},
                  {"gold", items[index].gold}});
      scores[index] = std::move(values);
    }
    const double share = static_cast<double>(scores.size()) / static_cast<double>(items.size());
    if (line.due()) line.show(share, vkgpt::format("{} of {} questions", scores.size(), items.size()));
  }
  context.instance().check_messages();
  return true;
}

}  // namespace

namespace {

/// The file of a public task, by its name; else what was given is one.
std::string task_file(const std::string& task) {
  struct Known {
    std::string_view name, file, source;
  };
  constexpr Known kKnown[] = {
      {"hellaswag", "hellaswag_val.jsonl", "'vkgpt data get hellaswag' fetches it"},
      {"arc_easy", "ARC-Easy-Test.jsonl", "'vkgpt data get arc_easy' fetches it"},
      {"arc_challenge", "ARC-Challenge-Test.jsonl", "'vkgpt data get arc_challenge' fetches it"}};
  std::error_code error;
  const auto* const known = std::ranges::find(kKnown, task, &Known::name);
  if (known == std::end(kKnown) || std::filesystem::exists(task, error)) return task;
  const Path file = Path("data") / known->file;
  if (!std::filesystem::exists(file, error)) fail("{} is not there: {}", file.string(), known->source);
  return file.string();
}

}  // namespace

int run_eval_task(const TaskOptions& wished, const OpenModel& open, std::int64_t batch_size,
                  const RunOptions& run) {
  TaskOptions options = wished;
  options.task = task_file(wished.task);
  std::vector<text::ChoiceItem> items = text::read_choice_items(options.task);
  const std::vector<text::ChoiceItem> pool =
      options.few_shot_data.empty() ? items : text::read_choice_items(options.few_shot_data);
  if (options.limit > 0 && options.limit < std::ssize(items))
    items.resize(static_cast<std::size_t>(options.limit));
  const std::string of_all = options.results.empty() ? "" : fingerprint_of_all(options, open, pool);
  Scores scores = read_results(options, of_all, items);
  if (!scores.empty()) log_info("{} of {} questions are answered already", scores.size(), items.size());
  if (!score_rest(options, open, batch_size, run, items, pool, of_all, scores)) {
    return static_cast<int>(ExitCode::kInterrupted);
  }
  text::Share plain{.count = 0, .of = items.size()}, by_length = plain;
  for (const auto& [index, values] : scores) {
    plain.count += text::best_choice(values) == items[index].gold ? 1 : 0;
    by_length.count += text::best_choice_by_length(values, items[index]) == items[index].gold ? 1 : 0;
  }
  if (run.json) {
    const nlohmann::ordered_json record = {{"model", open.directory.string()},
                                           {"task", options.task},
                                           {"few_shot", options.few_shot},
                                           {"questions", items.size()},
                                           {"acc", plain.value()},
                                           {"acc_stderr", plain.standard_error()},
                                           {"acc_norm", by_length.value()},
                                           {"acc_norm_stderr", by_length.standard_error()}};
    std::print("{}\n", record.dump());
    return 0;
  }
  std::print(
      "model      {}\ntask       {}: {} questions, {} examples before each\n"
      "acc        {:.4f} +- {:.4f}\nacc_norm   {:.4f} +- {:.4f}  (by the answers' characters)\n",
      printable(open.directory.string(), 200), printable(options.task, 200), items.size(), options.few_shot,
      plain.value(), plain.standard_error(), by_length.value(), by_length.standard_error());
  return 0;
}

}  // namespace vkgpt::cli
