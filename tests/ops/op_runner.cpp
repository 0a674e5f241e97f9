#include "ops/op_runner.hpp"

#include <string>

#include <gtest/gtest.h>

#include "gpu_context.hpp"

namespace vkgpt::test {

std::vector<CapsVariant> caps_variants(std::uint64_t sliced_bytes) {
  const vk::DeviceCaps& native = shared_context().caps();
  std::vector<CapsVariant> variants{{"native", native}, {"as a GPU", native}, {"sliced", native}};
  variants[1].caps.type = vk::DeviceType::kDiscrete;
  variants[2].caps.max_storage_buffer_range = sliced_bytes;
  return variants;
}

std::vector<CapsVariant> caps_variants_folded(std::uint64_t sliced_bytes) {
  std::vector<CapsVariant> variants = caps_variants(sliced_bytes);
  variants.push_back({"folded", shared_context().caps()});
  variants.back().caps.max_workgroup_count[0] = 3;
  return variants;
}

OpRunner::OpRunner() : OpRunner(shared_context().target()) {}

OpRunner::OpRunner(const vk::Target& target) : GuardedRun(shared_context(), target) {}

void OpRunner::run(const ops::StepParams& step) {
  if (const std::string written = GuardedRun::run(step); !written.empty()) ADD_FAILURE() << written;
}

}  // namespace vkgpt::test
