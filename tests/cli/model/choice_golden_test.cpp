// Questions of public tasks' forms against what lm-evaluation-harness makes of them (tests/golden/choice).

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

class GpuChoiceGolden : public testing::TestWithParam<const char*> {};

TEST_P(GpuChoiceGolden, AnswersAreAsLikely) {
  const Path golden = test::source_dir() / "tests/golden/choice";
  const nlohmann::json all = nlohmann::json::parse(read_file(golden / "expected.json"));
  const nlohmann::json& expected = all[GetParam()];
  const TempDirectory temp;
  const std::string results = (temp / "results.jsonl").string();
  std::vector<std::string> args = {"eval",
                                   "--model",
                                   golden.string(),
                                   "--task",
                                   (golden / (GetParam() + std::string(".jsonl"))).string(),
                                   "--few_shot",
                                   std::to_string(expected["few_shot"].get<int>()),
                                   "--batch_size",
                                   "2",
                                   "--results",
                                   results};
  if (expected["few_shot"] != 0) {
    const std::string dev = (golden / (GetParam() + std::string("_dev.jsonl"))).string();
    args.insert(args.end(), {"--few_shot_data", dev});
  }
  const RunResult run = run_vkgpt(args);
  ASSERT_EQ(run.code, 0) << run.err;
  std::istringstream lines(read_file(results));
  std::size_t questions = 0;
  for (std::string line; std::getline(lines, line); ++questions) {
    const nlohmann::json record = nlohmann::json::parse(line);
    const auto wanted =
        expected["log_likelihoods"][record["question"].get<std::size_t>()].get<std::vector<double>>();
    const auto found = record["log_likelihoods"].get<std::vector<double>>();
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-3) << line;
    EXPECT_EQ(record["choice"], std::ranges::max_element(wanted) - wanted.begin()) << line;
  }
  EXPECT_EQ(questions, expected["log_likelihoods"].size());
}

INSTANTIATE_TEST_SUITE_P(Tasks, GpuChoiceGolden, testing::Values("own", "hellaswag", "arc", "mmlu"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace vkgpt::cli
