#include "cli/model/context_length.hpp"

#include <gtest/gtest.h>

#include "cli/run_vkgpt.hpp"
#include "support/expect_error.hpp"
#include "support/paths.hpp"

namespace vkgpt::cli {
namespace {

/// Shaped like a large Llama, without its weights: 16 layers of 8 heads of 64, 131,072 tokens.
model::GptParams large_model() {
  model::GptConfig config;
  config.vocab_size = 1000;
  config.n_layer = 16;
  config.n_head = 32;
  config.n_kv_head = 8;
  config.n_embd = 2048;
  config.n_inner = 8192;
  config.block_size = 131072;
  config.norm = "rmsnorm";
  config.mlp = "swiglu";
  config.pos_encoding = "rope";
  config.bias = false;
  return model::GptParams(config);
}

vk::DeviceCaps device_of(std::uint64_t heap, std::uint64_t binding) {
  vk::DeviceCaps caps;
  caps.heap_bytes = heap;
  caps.max_storage_buffer_range = binding;
  return caps;
}

constexpr std::uint64_t kGiB = 1ULL << 30U;

TEST(ContextLength, TakesHalfOfWhatWeightsLeaveAndWhatIsBound) {
  const model::GptParams params = large_model();
  const std::int64_t weights = 4 * params.arena_elements();
  const auto heap = static_cast<std::uint64_t>(weights) + 2 * kGiB;
  // 64 KiB a token: 2 tensors of 16 layers of 512 numbers.
  EXPECT_EQ(fitting_context(params, {}, device_of(heap, 4 * kGiB)), 16384);
  EXPECT_EQ(fitting_context(params, {.slots = 4}, device_of(heap, 4 * kGiB)), 4096);
  EXPECT_EQ(fitting_context(params, {}, device_of(1000 * kGiB, 4 * kGiB)), 131072);
  EXPECT_EQ(fitting_context(params, {}, device_of(1000 * kGiB, kGiB / 8)), 65536) << "128 MiB bound";
  EXPECT_EQ(fitting_context(params, {}, device_of(kGiB, 4 * kGiB)), 64) << "the plan refuses";
  EXPECT_GT(fitting_context(params, {.blocks = BlockType::kQ8_0}, device_of(heap, 4 * kGiB)), 16384 + 10000);
}

TEST(ContextLength, IsWhatIsNeededAndNoMore) {
  const model::GptParams params = large_model();
  const vk::DeviceCaps caps = device_of(1000 * kGiB, 4 * kGiB);
  EXPECT_EQ(with_context(params, 0, 205, {}, caps).config().block_size, 256);
  EXPECT_EQ(with_context(params, 0, 1 << 20, {}, caps).config().block_size, 131072);
  EXPECT_EQ(with_context(params, 100, 205, {}, caps).config().block_size, 100);
  expect_error([&] { with_context(params, 131073, 1, {}, caps); }, "the model's context is 131072");
  model::GptConfig dynamic = params.config();
  dynamic.rope_scaling = "dynamic";
  dynamic.rope_original_context = 8192;
  EXPECT_EQ(with_context(model::GptParams(dynamic), 0, 205, {}, caps).config().block_size, 131072);
}

TEST(GpuContextLength, ChangesNoTextThatFits) {
  const std::string model = (test::source_dir() / "tests/golden/choice").string();
  const auto write = [&](const std::string& block_size) {
    return run_vkgpt({"generate", "--model", model, "--prompt", "the cat", "--max_new_tokens", "40",
                      "--temperature", "0", "--block_size", block_size});
  };
  const RunResult automatic = write("0"), whole = write("512"), shorter = write("120");
  ASSERT_EQ(automatic.code, 0) << automatic.err;
  EXPECT_EQ(automatic.out, whole.out);
  EXPECT_EQ(automatic.out, shorter.out);
  const RunResult beyond = write("513");
  EXPECT_EQ(beyond.code, 2);
  EXPECT_NE(beyond.err.find("--block_size 513: the model's context is 512"), std::string::npos) << beyond.err;
  const RunResult served = run_vkgpt({"serve", "--model", model, "--block_size", "513"});
  EXPECT_EQ(served.code, 2);
  EXPECT_NE(served.err.find("--block_size 513: the model's context is 512"), std::string::npos) << served.err;
  const RunResult chat =
      run_vkgpt({"chat", "--model", model, "--block_size", "96", "--max_new_tokens", "8"}, {}, "one two\n");
  EXPECT_EQ(chat.code, 0) << chat.err;
}

}  // namespace
}  // namespace vkgpt::cli
