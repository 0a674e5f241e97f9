#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/device/kernel_report.hpp"
#include "cli/run_vkgpt.hpp"
#include "gpu_context.hpp"
#include "support/paths.hpp"
#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kTinyModelKernels = {"kernels", "--n_layer",    "2", "--n_embd",
                                                    "32",      "--n_head",     "2", "--block_size",
                                                    "16",      "--batch_size", "2"};

RunResult kernels_of_tiny_model(std::vector<std::string> more) {
  std::vector<std::string> args = kTinyModelKernels;
  args.insert(args.end(), more.begin(), more.end());
  return run_vkgpt(args);
}

BuiltKernel kernel_with(std::vector<vk::ExecutableStatistic> statistics) {
  BuiltKernel kernel{{.stem = "norm", .macros = {{"HS", "8"}}, .spec_constants = {64, 2}}, {}, 100, 1.5};
  kernel.use.dispatches = {{"micro_step", 3}, {"decode", 1}};
  kernel.executables.push_back({"compute", "", 32, std::move(statistics), {}});
  return kernel;
}

TEST(KernelReport, HasAColumnForEachFigureThatAnyKernelHas) {
  const std::vector<BuiltKernel> kernels = {
      kernel_with({{"VGPRs", "", std::uint64_t{24}}}),
      kernel_with({{"VGPRs", "", std::uint64_t{48}}, {"Spilled VGPRs", "", std::uint64_t{7}}})};
  const std::string table = kernel_table(kernels, true);
  EXPECT_THAT(table, HasSubstr("regs   spills  variant"));
  EXPECT_THAT(table, HasSubstr("24        -  HS=8 [64,2]\n"));
  EXPECT_THAT(table, HasSubstr("48        7  HS=8 [64,2]\n"));
  EXPECT_THAT(kernel_table(kernels, false), Not(HasSubstr("spills")));
  EXPECT_THAT(missing_figures(kernels), testing::Contains("occupancy"));
  EXPECT_THAT(missing_figures(kernels), Not(testing::Contains("spills")));
}

TEST(KernelReport, JsonTellsMissingFiguresFromZero) {
  const std::vector<BuiltKernel> kernels = {kernel_with({{"Spilled VGPRs", "registers", std::uint64_t{0}}})};
  const nlohmann::ordered_json record = kernels_json(kernels)[0];
  EXPECT_EQ(record["dispatches"]["micro_step"], 3);
  EXPECT_EQ(record["macros"]["HS"], "8");
  const nlohmann::ordered_json& executable = record["executables"][0];
  EXPECT_EQ(executable["figures"]["spills"], 0);
  EXPECT_TRUE(executable["figures"]["occupancy"].is_null());
  EXPECT_EQ(executable["statistics"][0]["description"], "registers");
}

TEST(GpuKernelsCommand, ListsThePipelinesOfDecodingInAType) {
  const RunResult result = kernels_of_tiny_model({"--dtype", "q8_0", "--slots", "4", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  bool has_blocks = false;
  const nlohmann::json record = nlohmann::json::parse(result.out);
  for (const nlohmann::json& kernel : record["kernels"]) has_blocks |= kernel["macros"].contains("BLOCKS");
  EXPECT_TRUE(has_blocks) << result.out;
}

TEST(GpuKernelsCommand, ListsThePipelinesOfTrainingAndDecoding) {
  const RunResult result = kernels_of_tiny_model({"--stats", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json record = nlohmann::json::parse(result.out);
  EXPECT_EQ(record["activation_dtype"], "f32");
  std::set<std::string> stems, variants, segments;
  for (const nlohmann::json& kernel : record["kernels"]) {
    stems.insert(kernel["kernel"].get<std::string>());
    variants.insert(kernel["kernel"].get<std::string>() + kernel["variant"].get<std::string>());
    for (const auto& [segment, count] : kernel["dispatches"].items()) segments.insert(segment);
    EXPECT_GT(kernel["spirv_bytes"], 100);
    EXPECT_GT(kernel["build_ms"], 0);
    EXPECT_EQ(kernel["executables"].empty(), !record["device"]["pipeline_statistics"].get<bool>());
  }
  EXPECT_EQ(variants.size(), record["kernels"].size());
  for (const char* stem : {"attention_decode", "linear_backward_weight", "optimizer_adamw"}) {
    EXPECT_TRUE(stems.contains(stem)) << stem;
  }
  for (const char* segment : {"first_micro_step", "update", "decode_1", "prefill_16", "eval_step"}) {
    EXPECT_TRUE(segments.contains(segment)) << segment;
  }
  if (!record["device"]["pipeline_statistics"].get<bool>()) {
    EXPECT_THAT(result.err, HasSubstr("reports no statistics"));
  }
}

TEST(GpuKernelsCommand, FlagsChangeWhatIsBuilt) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  const RunResult plain = kernels_of_tiny_model({});
  const RunResult lion = kernels_of_tiny_model({"--optimizer", "lion", "--amp", "fp16"});
  ASSERT_EQ(plain.code, 0) << plain.err;
  ASSERT_EQ(lion.code, 0) << lion.err;
  EXPECT_THAT(plain.out, Not(HasSubstr("optimizer_lion")));
  EXPECT_THAT(lion.out, HasSubstr("optimizer_lion"));
  EXPECT_THAT(plain.out, Not(HasSubstr("DTYPE=1")));
  EXPECT_THAT(lion.out, HasSubstr("DTYPE=1"));
}

TEST(GpuKernelsCommand, KernelsOfAFolderTakeThePlaceOfThoseInTheProgram) {
  const TempDirectory directory;
  const std::string folder = (directory / "shaders").string();
  std::filesystem::copy(test::source_dir() / "shaders", folder, std::filesystem::copy_options::recursive);
  const auto bytes_of_adamw = [](const RunResult& result) {
    EXPECT_EQ(result.code, 0) << result.err;
    const nlohmann::json printed = nlohmann::json::parse(result.out);
    for (const nlohmann::json& kernel : printed["kernels"]) {
      if (kernel["kernel"] == "optimizer_adamw") return kernel["spirv_bytes"].get<int>();
    }
    return 0;
  };
  const int built_in = bytes_of_adamw(kernels_of_tiny_model({"--json"}));
  EXPECT_GT(built_in, 0);
  EXPECT_EQ(bytes_of_adamw(kernels_of_tiny_model({"--json", "--shader_dir", folder})), built_in);

  const std::filesystem::path kernel = std::filesystem::path(folder) / "optimizer_adamw.comp";
  std::string text = read_file(kernel);
  const std::size_t body = text.rfind("void main() {") + std::string_view("void main() {").size();
  std::ofstream(kernel) << text.insert(body, "\n  if (gl_WorkGroupID.x == 12345) return;\n");
  {
    const test::ScopedEnvironment variable("VKGPT_SHADER_DIR", folder.c_str());
    EXPECT_GT(bytes_of_adamw(kernels_of_tiny_model({"--json"})), built_in);
  }
  std::filesystem::remove(kernel);
  const RunResult missing = kernels_of_tiny_model({"--shader_dir", folder});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("--shader_dir " + folder + " has no kernel optimizer_adamw.comp\n"));
  const RunResult nowhere = kernels_of_tiny_model({"--shader_dir", folder + "/none"});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("is not a folder"));
}

TEST(GpuKernelsCommand, AKernelThatDoesNotFitItsPlanIsNamed) {
  const TempDirectory directory;
  const std::string folder = (directory / "shaders").string();
  std::filesystem::copy(test::source_dir() / "shaders", folder, std::filesystem::copy_options::recursive);
  const std::filesystem::path kernel = std::filesystem::path(folder) / "optimizer_adamw.comp";
  std::string text = read_file(kernel);
  const std::string_view read_only = "binding = 5, std430) readonly";
  ASSERT_NE(text.find(read_only), text.npos);
  std::ofstream(kernel) << text.replace(text.find(read_only), read_only.size(),
                                        "binding = 9, std430) readonly");
  const RunResult result = kernels_of_tiny_model({"--shader_dir", folder});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, testing::ContainsRegex("kernel optimizer_adamw .*: its shader has no binding 5"));
}

TEST(GpuKernelsCommand, AutomaticBatchIsAUsageError) {
  const RunResult result = run_vkgpt({"kernels", "--batch_size", "auto"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--batch_size auto"));
}

}  // namespace
}  // namespace vkgpt::cli
