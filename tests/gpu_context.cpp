#include "gpu_context.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace vkgpt::test {
namespace {

std::unique_ptr<vk::Context> g_context;

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

/// Read before any test sets the variable for a program that it runs.
const std::string g_shader_dir = environment("VKGPT_SHADER_DIR", "");

class MessageListener : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo&) override {
    if (g_context == nullptr) return;
    for (const std::string& message : g_context->instance().messages().take()) ADD_FAILURE() << message;
  }
};

/// Adds the kernels that the tests built to the file that VKGPT_TEST_KERNELS names; `tools/test.sh coverage`
/// reads it.
void report_kernels() {
  const std::string path = environment("VKGPT_TEST_KERNELS", "");
  if (path.empty() || g_context == nullptr) return;
  std::ofstream out(path, std::ios::app);
  for (const std::string& stem : g_context->pipelines().stems()) out << stem << '\n';
}

vk::ContextOptions test_options() {
  vk::ContextOptions options;
  options.device = environment("VKGPT_DEVICE", "");
  options.shader_dir = g_shader_dir;
  // Beside the tests, so that they neither use nor fill the user's cache.
  options.cache_dir = program().parent_path() / "test-cache";
  return options;
}

}  // namespace

std::unique_ptr<vk::Context> open_context() {
  vk::ContextOptions options = test_options();
  options.validation = vk::parse_validation_mode(environment("VKGPT_VALIDATION", "off"));
  return std::make_unique<vk::Context>(options);
}

std::unique_ptr<vk::Context> open_unvalidated(const std::function<void()>& before_device) {
  vk::ContextOptions options = test_options();
  options.check = [&](const vk::Target&) { before_device(); };
  return std::make_unique<vk::Context>(options);
}

vk::Context& shared_context() {
  if (g_context == nullptr) g_context = open_context();
  return *g_context;
}

bool stores(DType dtype) {
  return dtype_size(dtype) != 2 || shared_context().caps().storage_16bit;
}

void watch_shared_context() {
  testing::UnitTest::GetInstance()->listeners().Append(new MessageListener);
}

void close_shared_context() {
  report_kernels();
  g_context.reset();
}

}  // namespace vkgpt::test
