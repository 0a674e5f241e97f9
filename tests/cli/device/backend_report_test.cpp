#include "cli/device/backend_report.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/ops/backend.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/expect_error.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;
using vk::Backend;

vk::Target card() {
  vk::Target target;
  target.caps.name = "Radeon";
  target.caps.storage_16bit = true;
  return target;
}

std::string log_of_check(const vk::Target& target) {
  testing::internal::CaptureStderr();
  check_backends(target);
  return testing::internal::GetCapturedStderr();
}

TEST(BackendReport, OneThatTheDeviceCannotRunIsAUsageError) {
  vk::Target target = card();
  EXPECT_EQ(log_of_check(target), "");
  target.kernels.matmul = Backend::kScalar;
  EXPECT_EQ(log_of_check(target), "");
  target.kernels.matmul = Backend::kKhr;
  expect_error([&] { check_backends(target); }, "--matmul_backend khr: Radeon has no cooperative matrices; ");
  target.kernels = {.attention = Backend::kNv};
  target.caps.cooperative_matrices = {{16, 16, 16, "f16", "f32"}};
  expect_error([&] { check_backends(target); },
               "--attention_backend nv: Radeon has no VK_NV_cooperative_matrix2; ");
}

TEST(BackendReport, WhatASelfTestSwitchedOffIsNotedWhereItWouldBeTaken) {
  vk::Target target = card();
  target.kernels.disabled = {"matmul simt"};
  EXPECT_THAT(log_of_check(target),
              HasSubstr("matmul simt is off on this device: its self-test failed; see "));
  EXPECT_THAT(backends_text(target, "matmul"), HasSubstr("matmul simt is off, its self-test failed"));
  EXPECT_THAT(backends_text(target, "matmul"), HasSubstr("f32 scalar (or simt)"));
  target.kernels.matmul = Backend::kSimt;
  EXPECT_THAT(log_of_check(target), HasSubstr("matmul simt is forced although its self-test failed"));
  target.kernels.matmul = Backend::kScalar;
  EXPECT_EQ(log_of_check(target), "");
  target.kernels.matmul.reset();
  target.caps.type = vk::DeviceType::kCpu;
  EXPECT_EQ(log_of_check(target), "");
}

TEST(BackendReport, ReportsUsableOnesByType) {
  vk::Target target = card();
  EXPECT_THAT(backends_text(target, "matmul"), HasSubstr("; f16 "));
  const nlohmann::ordered_json json = backends_json(target);
  for (const char* op : {"matmul", "attention"}) {
    EXPECT_EQ(json[op]["f32"]["order"].back(), "scalar");
    EXPECT_EQ(json[op]["bf16"]["usable"][0], "scalar");
  }
  target.caps.storage_16bit = false;
  EXPECT_FALSE(backends_json(target)["matmul"].contains("f16"));
}

TEST(GpuBackendReport, AForcedOneReachesTheListOfKernels) {
  const std::vector<std::string> kernels = {"kernels", "--n_layer",    "1",  "--n_embd",     "32", "--n_head",
                                            "2",       "--block_size", "16", "--batch_size", "2"};
  const auto run = [&](const char* backend) {
    return run_vkgpt(kernels, {std::string("VKGPT_MATMUL_BACKEND=") + backend});
  };
  const RunResult scalar = run("scalar");
  EXPECT_EQ(scalar.code, 0) << scalar.err;
  EXPECT_THAT(scalar.out, HasSubstr("linear_forward "));
  const RunResult unknown = run("cuda");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("VKGPT_MATMUL_BACKEND"));
  const RunResult simt = run("simt");
  EXPECT_EQ(simt.code, 0) << simt.err;
  EXPECT_NE(simt.out, scalar.out);
}

}  // namespace
}  // namespace vkgpt::cli
