// Questions of public tasks' forms against what lm-evaluation-harness makes of them (tests/golden/choice).

#include <algorithm>
#include <filesystem>
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

TEST(GpuChoice, TakesOverNoResultsOfOtherWeightsContextsOrExamples) {
  const Path golden = test::source_dir() / "tests/golden/choice";
  const TempDirectory temp;
  const Path model = temp / "model", examples = temp / "dev.jsonl";
  std::filesystem::copy(golden, model);
  write_file(examples, read_file(golden / "mmlu_dev.jsonl"));
  const auto run = [&](const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"eval",
                                     "--model",
                                     model.string(),
                                     "--task",
                                     (golden / "mmlu.jsonl").string(),
                                     "--few_shot",
                                     "1",
                                     "--few_shot_data",
                                     examples.string(),
                                     "--results",
                                     (temp / "results.jsonl").string()};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  };
  const auto refused = [](const RunResult& result) {
    return result.code == 2 && result.err.contains("is of other weights, context, questions or examples");
  };
  ASSERT_EQ(run().code, 0);
  const RunResult again = run();
  EXPECT_EQ(again.code, 0);
  EXPECT_TRUE(again.err.contains("answered already")) << again.err;
  EXPECT_TRUE(refused(run({"--block_size", "64"})));
  const std::string others = read_file(examples);
  write_file(examples, others.substr(others.find('\n') + 1));
  EXPECT_TRUE(refused(run()));
  write_file(examples, others);
  std::string weights = read_file(model / "model.safetensors");
  weights[weights.size() - 2] ^= 1;
  write_file(model / "model.safetensors", weights);
  EXPECT_TRUE(refused(run()));
}

INSTANTIATE_TEST_SUITE_P(Tasks, GpuChoiceGolden, testing::Values("own", "hellaswag", "arc", "mmlu"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace vkgpt::cli
