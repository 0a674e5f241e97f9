// The library as its examples use it, each as a program of its own.

#include "vkgpt/vkgpt.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt {
namespace {

DeviceOptions test_device() {
  const char* const device = std::getenv("VKGPT_DEVICE");
  return {.device = device == nullptr ? "" : device};
}

class GpuLibrary : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "one two three " + std::to_string(i % 50) + "\n";
    write_file(directory_ / "text.txt", text);
  }

  std::map<std::string, std::string> settings() const {
    return {{"data_path", (directory_ / "text.txt").string()},
            {"out_dir", (directory_ / "run").string()},
            {"n_layer", "1"},
            {"n_head", "2"},
            {"n_embd", "32"},
            {"block_size", "16"},
            {"batch_size", "4"},
            {"eval_iters", "1"},
            {"log_interval", "0"},
            {"sample_interval", "0"},
            {"max_steps", "30"}};
  }

  TempDirectory directory_;
};

TEST_F(GpuLibrary, TrainsGeneratesAndEvaluates) {
  std::vector<double> losses;
  const TrainResult result = train_model(settings(), test_device(), [&](const TrainStep& step) {
    losses.push_back(step.loss);
    return true;
  });
  EXPECT_EQ(result.steps, 30);
  ASSERT_EQ(losses.size(), 30U);
  EXPECT_LT(losses.back(), losses.front());

  Model model(result.directory, test_device());
  EXPECT_EQ(model.context_length(), 16);
  const std::string text = model.generate("one ", {.max_new_tokens = 12, .temperature = 0});
  EXPECT_EQ(text, model.generate("one ", {.max_new_tokens = 12, .temperature = 0}));
  EXPECT_EQ(model.decode(model.encode("two three")), "two three");
  std::string shown;
  model.generate("one ", {.max_new_tokens = 12, .temperature = 0, .on_text = [&](std::string_view more) {
                            shown += more;
                            return shown.size() < 4;
                          }});
  EXPECT_EQ(shown, text.substr(0, shown.size()));
  EXPECT_LT(shown.size(), text.size());
  EXPECT_THROW(model.generate("one ", {.on_text = [](std::string_view) -> bool { throw 5; }}), int);
  EXPECT_EQ(model.generate("one ", {.max_new_tokens = 12, .temperature = 0}), text);
  EXPECT_THROW(model.generate("one ", {.max_new_tokens = 0}), std::runtime_error);
  EXPECT_THROW(model.generate("one ", {.temperature = -1}), std::runtime_error);
  EXPECT_THROW(model.generate("one ", {.temperature = std::nan("")}), std::runtime_error);
  EXPECT_THROW(model.generate("one ", {.top_k = -1}), std::runtime_error);
  EXPECT_THROW(model.generate("one ", {.top_p = 0}), std::runtime_error);
  EXPECT_THROW(model.generate("one ", {.sample = 1U << 24}), std::runtime_error);
  const Evaluation evaluation = model.evaluate("one two three 7\none two three 8\n");
  EXPECT_NEAR(evaluation.perplexity, std::exp(evaluation.loss), 1e-6 * evaluation.perplexity);
  EXPECT_THROW(model.generate(""), std::runtime_error);
  EXPECT_THROW(model.decode(std::vector<Model::Token>{1 << 20}), std::runtime_error);
}

TEST_F(GpuLibrary, ACallbackEndsARunThatCanBeContinued) {
  const TrainResult stopped =
      train_model(settings(), test_device(), [](const TrainStep& step) { return step.step < 5; });
  EXPECT_GE(stopped.steps, 5);
  EXPECT_LT(stopped.steps, 9);
  const TrainResult ended = train_model(
      {{"out_dir", (directory_ / "run").string()}, {"resume", "true"}, {"max_steps", "12"}}, test_device());
  EXPECT_EQ(ended.steps, 12);
  EXPECT_THROW(train_model({{"out_dir", "x"}, {"no_such_setting", "1"}}), std::runtime_error);
}

TEST_F(GpuLibrary, TheExamplesRun) {
  const Path build = test::program().parent_path();
  const std::string text = (directory_ / "text.txt").string();
  const std::string run = (directory_ / "run").string();
  const auto example = [&](const std::string& name, const std::vector<std::string>& args) {
    return cli::run_program_at(build / ("example_" + name), args);
  };
  const cli::RunResult trained = example("train", {text, run, "20"});
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.out.find("step 20  loss "), std::string::npos) << trained.out;
  const cli::RunResult generated = example("generate", {run, "one "});
  EXPECT_EQ(generated.code, 0) << generated.err;
  EXPECT_EQ(generated.out.substr(0, 4), "one ");
  const cli::RunResult evaluated = example("evaluate", {run, text});
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_NE(evaluated.out.find("perplexity"), std::string::npos) << evaluated.out;
  EXPECT_EQ(example("generate", {(directory_ / "none").string(), "x"}).code, 1);
}

}  // namespace
}  // namespace vkgpt
