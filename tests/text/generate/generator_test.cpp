#include "vkgpt/text/generate/generator.hpp"

#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "vkgpt/model/decode_plan.hpp"

#include "gpu_context.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::text {
namespace {

constexpr std::int64_t kTogether = 2;

class GpuGenerator : public testing::Test {
 protected:
  GpuGenerator() {
    const std::vector<float> weights = model::initial_parameters(params_, 3);
    model::upload_decode_params(store_, params_, model::ArenaSource(params_, weights), options_);
  }

  model::GptParams params_{test::tiny_gpt2_config()};
  model::DecodeOptions options_ = model::decode_options("f32", kTogether);
  plan::TensorStore store_{test::shared_context()};
  Generator generator_{test::shared_context(), store_, params_, 0, options_};
};

TEST_F(GpuGenerator, BeginsNoTextOnceItShallNotGoOn) {
  const std::vector<Token> prompt = {1, 2};
  GenerateConfig config;
  config.max_new_tokens = 3;
  config.num_samples = 50;
  std::set<std::uint32_t> begun;
  bool is_interrupted = false;
  const auto on_token = [&](std::uint32_t sample, Token, bool) {
    begun.insert(sample);
    return !is_interrupted;
  };
  generator_.generate_all(prompt, config, {}, on_token, [] { return true; });
  EXPECT_EQ(begun.size(), 50);
  begun.clear();
  generator_.generate_all(
      prompt, config, {}, [&](auto... of) { return is_interrupted = true, on_token(of...); },
      [&] { return !is_interrupted; });
  EXPECT_LE(begun.size(), kTogether);
}

TEST_F(GpuGenerator, LeavesNothingOfATextWhoseCallbackThrows) {
  const std::vector<Token> prompt = {1, 2}, other = {3};
  GenerateConfig config;
  config.max_new_tokens = 6;
  const std::vector<Token> expected = generator_.generate(other, config, {}, 0);
  EXPECT_THROW(
      generator_.generate(prompt, config, {}, 0, [](Token) -> bool { throw std::runtime_error("enough"); }),
      std::runtime_error);
  EXPECT_EQ(generator_.generate(other, config, {}, 0), expected);
}

}  // namespace
}  // namespace vkgpt::text
