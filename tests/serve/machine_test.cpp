#include "serve/machine.hpp"

#include <gtest/gtest.h>

#include "vkgpt/model/loaded_model.hpp"

#include "gpu_context.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::serve {
namespace {

TEST(GpuMachine, HasItsKernelsBeforeTheFirstRequest) {
  const model::GptParams params(test::tiny_gpt2_config());
  const std::vector<float> arena = model::initial_parameters(params, 3);
  const model::ArenaSource weights(params, arena);
  Machine machine(test::open_context(), {.params = params, .weights = weights}, {.slots = 2});
  const std::size_t built = machine.context().pipelines().size();
  EXPECT_GT(built, 0U);
  for (const std::size_t length : {1U, 3U, 12U}) {
    machine.batch().add({.prompt = std::vector<text::Token>(length, 1), .max_new_tokens = 2});
    machine.batch().add({.prompt = {2, 3}, .max_new_tokens = 3, .wants_logprobs = true});
    while (!machine.batch().is_empty()) machine.batch().step();
  }
  EXPECT_EQ(machine.context().pipelines().size(), built);
}

}  // namespace
}  // namespace vkgpt::serve
