// Documents that share windows train as they do alone in theirs.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/step_runner.hpp"

#include "check/compare.hpp"
#include "gpu_context.hpp"
#include "support/train_run.hpp"

namespace vkgpt::train {
namespace {

struct Learned {
  double loss = 0;
  std::size_t windows = 0;
  float counted = 0;
  double validation = 0;
  std::vector<float> gradients;  // of the mean loss
};

text::Corpus corpus_of(const std::vector<std::uint32_t>& lengths, std::int64_t vocab_size) {
  text::TokenizedDocuments split;
  std::uint64_t seed = 1;
  for (const std::uint32_t length : lengths) {
    split.documents.spans.push_back({.begin = split.tokens.size(), .tokens = length});
    const std::vector<std::int32_t> tokens =
        check::random_tokens(length, seed++, static_cast<std::int32_t>(vocab_size));
    split.tokens.insert(split.tokens.end(), tokens.begin(), tokens.end());
  }
  for (const text::Token token : split.tokens) split.documents.counted.push_back(token % 4 != 0);
  return text::Corpus::of_documents({split, split}, vocab_size);
}

/// One step over all windows in `micro_steps`.
Learned learn(const model::GptConfig& model, const text::Corpus& corpus, bool several, bool replies_only,
              TrainConfig config = test::small_training(), std::int64_t micro_steps = 1) {
  PackedSplits packed{.windows = {}, .replies_only = replies_only};
  for (std::size_t i = 0; i < 2; ++i) {
    packed.windows[i] = {corpus.documents(i), model.block_size, several, Overlong::kError, "documents"};
  }
  config.pack = several ? "documents" : "none";
  const auto windows = static_cast<std::int64_t>(packed.windows[0].size());
  config.grad_accum_steps = micro_steps;
  config.batch_size = (windows + micro_steps - 1) / micro_steps;
  EXPECT_EQ(config.batch_size * micro_steps, windows);
  const DataLoader loader(corpus, packed, 1,
                          {.order = BatchOrder::kSequential, .micro_steps = config.grad_accum_steps});
  StepRunner runner(test::shared_context(), model, config, loader, [] { return true; });
  runner.set_parameters(model::initial_parameters(runner.params(), 1));
  runner.store().poison_arenas();
  Learned learned;
  learned.windows = packed.windows[0].size();
  learned.validation = *runner.evaluate(Split::kValidation, 2);
  EXPECT_TRUE(runner.submit(0, 0));
  runner.drain();
  const StepOutcome outcome = *runner.take_outcome();
  learned.loss = outcome.results.loss;
  learned.counted = outcome.results.counted;
  learned.gradients.resize(static_cast<std::size_t>(runner.params().trainable_elements()));
  runner.store().download(model::tensor::kGrads, std::as_writable_bytes(std::span(learned.gradients)));
  for (float& gradient : learned.gradients) gradient *= outcome.results.spread / outcome.results.loss_scale;
  double norm = 0;
  for (const float gradient : learned.gradients) norm += double{gradient} * gradient;
  EXPECT_NEAR(outcome.results.grad_norm, std::sqrt(norm), 1e-5 * std::sqrt(norm));
  return learned;
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - b[i], 2);
    norm += std::pow(double{a[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

struct PackedCase {
  const char* name;
  void (*set)(model::GptConfig&);
};

class GpuPacked : public testing::TestWithParam<PackedCase> {
 protected:
  GpuPacked() : model_(test::small_model()) { GetParam().set(model_); }

  model::GptConfig model_;
  text::Corpus corpus_ = corpus_of({18, 7, 5, 8, 12, 3, 2, 9, 10, 4, 6, 12}, model_.vocab_size);
};

TEST_P(GpuPacked, LossesAndGradientsAreThoseOfDocumentsAlone) {
  for (const bool replies_only : {false, true}) {
    const Learned alone = learn(model_, corpus_, false, replies_only);
    const Learned packed = learn(model_, corpus_, true, replies_only);
    EXPECT_EQ(alone.windows, 12U);
    EXPECT_LE(packed.windows, 6U);
    EXPECT_EQ(packed.counted, alone.counted);
    EXPECT_NEAR(packed.loss, alone.loss, 1e-5);
    EXPECT_NEAR(packed.validation, alone.validation, 1e-5);
    EXPECT_LT(relative_difference(alone.gradients, packed.gradients), 1e-6);
    EXPECT_NEAR(alone.validation, alone.loss, 1e-5) << "the same documents";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GpuPacked,
    testing::Values(PackedCase{"learned_positions", [](model::GptConfig&) {}},
                    PackedCase{"rope", [](model::GptConfig& c) { c.pos_encoding = "rope", c.n_kv_head = 1; }},
                    PackedCase{"window",
                               [](model::GptConfig& c) { c.pos_encoding = "rope", c.attention_window = 5; }},
                    PackedCase{"layers",
                               [](model::GptConfig& c) {
                                 c.n_layer = 2, c.pos_encoding = "rope", c.attention_window = 5;
                                 c.window_layers = "wf", c.rope_layers = "nr";
                               }}),
    [](const auto& each) { return each.param.name; });

TEST(GpuPackedStep, IsNormalizedOverAllMicroSteps) {
  const model::GptConfig model = test::small_model();
  const text::Corpus corpus = corpus_of({18, 7, 5, 8, 12, 3, 2, 9, 10, 4, 6, 12}, model.vocab_size);
  const Learned whole = learn(model, corpus, false, true);
  const Learned parts = learn(model, corpus, false, true, test::small_training(), 4);
  EXPECT_EQ(parts.counted, whole.counted);
  EXPECT_NEAR(parts.loss, whole.loss, 1e-5);
  EXPECT_LT(relative_difference(whole.gradients, parts.gradients), 1e-6);
}

TEST(GpuPackedStep, IsTheSameIn16Bits) {
  if (!test::shared_context().caps().storage_16bit) GTEST_SKIP() << "the device has no 16-bit storage";
  const model::GptConfig model = test::small_model();
  const text::Corpus corpus = corpus_of({18, 7, 5, 8, 12, 3}, model.vocab_size);
  TrainConfig config = test::small_training();
  config.amp = "fp16";
  const Learned alone = learn(model, corpus, false, true, config);
  const Learned packed = learn(model, corpus, true, true, config);
  EXPECT_NEAR(packed.loss, alone.loss, 2e-3);
}

}  // namespace
}  // namespace vkgpt::train
