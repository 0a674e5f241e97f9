#pragma once

#include <cstdint>
#include <string>

#include "cli/model/open_model.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {

/// What `eval --task` measures and how.
struct TaskOptions {
  std::string task;
  std::int64_t few_shot = 0;
  std::string few_shot_data;
  std::int64_t limit = 0;
  std::string results;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Multiple choice";
    visit(FieldInfo{.name = "task",
                    .group = kGroup,
                    .help =
                        "Questions with answers to choose from, JSON Lines: of HellaSwag, ARC, MMLU, or with "
                        "query, choices and gold; hellaswag, arc_easy or arc_challenge: theirs in data/"},
          self.task);
    visit(FieldInfo{.name = "few_shot",
                    .group = kGroup,
                    .help = "Answered examples before each question",
                    .min = 0,
                    .max = 64},
          self.few_shot);
    visit(
        FieldInfo{.name = "few_shot_data",
                  .group = kGroup,
                  .help = "File whose first questions are the examples; empty: the others of the task's own"},
        self.few_shot_data);
    visit(FieldInfo{.name = "limit",
                    .group = kGroup,
                    .help = "Questions, the first ones; 0: all",
                    .min = 0,
                    .max = 1e9},
          self.limit);
    visit(
        FieldInfo{
            .name = "results",
            .group = kGroup,
            .help =
                "File that gets a line of JSON for each question; what it holds already is not asked again"},
        self.results);
  }
};

/// Runs the task on an open model; `batch_size` windows at once. The exit code.
int run_eval_task(const TaskOptions& options, const OpenModel& open, std::int64_t batch_size,
                  const RunOptions& run);

}  // namespace vkgpt::cli
