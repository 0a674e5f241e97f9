// The cases of every op, one test each: "GpuCheck.<op>/<variant>".

#include "vkgpt/check/op_table.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/backend.hpp"

#include "gpu_context.hpp"

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
    // Validation multiplies the time to build a pipeline; the quick cases have every kernel.
    if (context.instance().validation() == vk::ValidationMode::kGpu && !case_.quick) GTEST_SKIP();
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

[[maybe_unused]] const bool kAreRegistered = [] {
  for (const OpTable& table : op_tables()) {
    for (const Case& c : table.cases) {
      testing::RegisterTest("GpuCheck", test_name(table.op, c.variant).c_str(), nullptr, nullptr, __FILE__,
                            __LINE__, [&]() -> testing::Test* { return new CaseTest(table.op, c); });
    }
  }
  return true;
}();

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

}  // namespace
}  // namespace vkgpt::check
