// The cases of every op, one test each: "GpuCheck.<op>/<variant>".

#include "vkgpt/check/op_table.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/backend.hpp"

#include "check/op_cases.hpp"
#include "gpu_context.hpp"
#include "vk/shader_source.hpp"

namespace vkgpt::check {
namespace {

/// Runs a case on each of its stand-in devices.
class CaseTest : public testing::Test {
 public:
  CaseTest(std::string_view op, const Case& c) : op_(op), case_(c) {}

 private:
  void TestBody() override {
    vk::Context& context = test::shared_context();
    if (!test::stores(case_.dtype)) GTEST_SKIP() << "no 16-bit storage";
    int runs = 0;
    for (const Device& device : case_.devices) {
      if (device.backend && !ops::has_backend(context.caps(), *device.backend, case_.dtype)) continue;
      ++runs;
      Trial trial(context, target_of(context.target(), op_, device));
      case_.build(trial);
      const Outcome outcome = run_trial(trial);
      if (!outcome.failure.empty()) {
        ADD_FAILURE() << vkgpt::format("{} {} on the device {}: {}", op_, case_.variant,
                                       device.name == "native" ? "as it is" : device.name, outcome.failure);
      }
    }
    if (runs == 0) GTEST_SKIP() << "the device has no such backend";
  }

  std::string_view op_;
  const Case& case_;
};

std::string test_name(std::string_view op, std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return std::isalnum(c) == 0 && c != '_'; }, '_');
  return vkgpt::format("{}/{}", op, text);
}

/// The kernels that a case builds on the devices that have its backend, each with the bytes of its elements.
std::set<std::string> kernels_of(vk::Context& context, std::string_view op, const Case& c) {
  std::set<std::string> kernels;
  for (const Device& device : c.devices) {
    if (device.backend && !ops::has_backend(context.caps(), *device.backend, c.dtype)) continue;
    Trial trial(context, target_of(context.target(), op, device));
    c.build(trial);
    for (const plan::Segment& segment : trial.plan().segments) {
      for (const plan::Dispatch& dispatch : segment.dispatches) {
        kernels.insert(vkgpt::format("{} of {}", dispatch.kernel.stem, dtype_size(c.dtype)));
      }
    }
  }
  return kernels;
}

/// Calls `take(op, case, kernels)` for the cases that GPU-assisted validation runs. It multiplies the time to
/// build a pipeline, so these are the quick cases, and those with kernels of their own, that build one which
/// no case before them did.
template <typename Take>
void for_each_validated(vk::Context& context, const Take& take) {
  std::set<std::string> seen;
  for (const OpTable& table : op_tables()) {
    for (const Case& c : table.cases) {
      if (!(c.quick || c.has_own_kernel) || !test::stores(c.dtype)) continue;
      const std::set<std::string> kernels = kernels_of(context, table.op, c);
      if (std::ranges::includes(seen, kernels)) continue;
      seen.insert(kernels.begin(), kernels.end());
      take(table.op, c, kernels);
    }
  }
}

void register_case(std::string_view op, const Case& c) {
  testing::RegisterTest("GpuCheck", test_name(op, c.variant).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [op, &c]() -> testing::Test* { return new CaseTest(op, c); });
}

TEST(OpTables, NamesAreUniqueAndEveryOpHasAQuickCase) {
  for (const OpTable& table : op_tables()) {
    std::set<std::string> names;
    for (const Case& c : table.cases) {
      EXPECT_TRUE(names.insert(test_name(table.op, c.variant)).second) << table.op << " " << c.variant;
      EXPECT_FALSE(c.devices.empty()) << table.op << " " << c.variant;
    }
    EXPECT_TRUE(std::ranges::any_of(table.cases, &Case::quick)) << table.op;
  }
}

TEST(GpuOpTables, GpuAssistedValidationSeesEveryKernel) {
  vk::Context& context = test::shared_context();
  std::set<std::string> seen;
  for_each_validated(context, [&](std::string_view, const Case&, const std::set<std::string>& kernels) {
    for (const std::string& kernel : kernels) seen.insert(kernel.substr(0, kernel.find(' ')));
  });
  for (const vk::ShaderSource& source : vk::embedded_shaders()) {
    const std::filesystem::path path(source.name);
    const std::string stem = path.stem();
    if (path.extension() != ".comp" || stem.starts_with("bench_")) continue;
    const bool is_missing =
        (stem.ends_with("_khr") && !ops::has_backend(context.caps(), vk::Backend::kKhr, DType::kF16)) ||
        (stem.ends_with("_nv") && !ops::has_backend(context.caps(), vk::Backend::kNv, DType::kF16));
    EXPECT_TRUE(is_missing || seen.contains(stem)) << stem;
  }
}

}  // namespace

void register_op_cases() {
  const char* validation = std::getenv("VKGPT_VALIDATION");
  const bool is_gpu_assisted = validation != nullptr && std::string_view(validation) == "gpu";
  if (is_gpu_assisted && std::getenv("VKGPT_CASES") == nullptr) {
    for_each_validated(test::shared_context(),
                       [](std::string_view op, const Case& c, const auto&) { register_case(op, c); });
    return;
  }
  for (const OpTable& table : op_tables()) {
    for (const Case& c : table.cases) register_case(table.op, c);
  }
}

}  // namespace vkgpt::check
