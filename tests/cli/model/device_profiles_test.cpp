// Every preset is planned for every device profile, with no device at all.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/plan/memory_limit.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/vk/device_profile.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/run_vkgpt.hpp"
#include "vk/kernel_contract.hpp"

namespace vkgpt::cli {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

struct Settings {
  model::GptConfig model;
  train::TrainConfig config;
};

Settings settings_of(const Preset& preset, const std::string& amp) {
  PresetOptions options;
  Settings settings;
  CommandLine command("plan", "");
  command.add(options).add(settings.model).add(settings.config);
  const std::vector<std::string> args = {"--preset", std::string(preset.name), "--amp", amp};
  command.parse(args);
  settings.model.vocab_size = preset.vocab_size;
  return settings;
}

plan::Schedule schedule_of(const Preset& preset, const std::string& amp, const vk::DeviceCaps& caps) {
  const auto [model, config] = settings_of(preset, amp);
  const model::GptParams params(model, train::adaptation(config));
  plan::Schedule schedule = train::train_schedule(params, config, model.block_size, {caps});
  plan::check_memory(schedule.memory, caps);
  return schedule;
}

/// Where a binding begins in its buffer.
std::uint64_t offset_of(const plan::Schedule& schedule, const plan::Binding& binding) {
  const auto placement = schedule.memory.placements.find(binding.tensor);
  if (placement != schedule.memory.placements.end()) return binding.offset + placement->second.offset;
  std::uint64_t begin = 0;
  for (const std::uint64_t cut : schedule.plan.tensor(binding.tensor).cuts) {
    if (cut <= binding.offset) begin = cut;
  }
  return binding.offset - begin;
}

std::uint64_t largest_buffer(const plan::TensorInfo& info) {
  std::uint64_t largest = 0, begin = 0;
  for (const std::uint64_t cut : info.cuts) {
    largest = std::max(largest, cut - begin);
    begin = cut;
  }
  return std::max(largest, info.bytes() - begin);
}

/// The first dispatch beyond a limit, or nothing.
std::string violation(const plan::Schedule& schedule, const vk::DeviceCaps& caps) {
  for (const plan::Segment& segment : schedule.plan.segments) {
    for (const plan::Dispatch& dispatch : segment.dispatches) {
      for (const plan::Binding& binding : dispatch.bindings) {
        if (binding.size > caps.max_storage_buffer_range) return dispatch.label + ": range";
        if (offset_of(schedule, binding) % caps.storage_buffer_alignment != 0)
          return dispatch.label + ": offset";
        if (offset_of(schedule, binding) % 16 != 0) return dispatch.label + ": words of 16 bytes";
      }
      for (std::size_t i = 0; i < 3; ++i) {
        if (dispatch.groups[i] > caps.max_workgroup_count[i]) return dispatch.label + ": groups";
      }
      if (4 * dispatch.push.size() > caps.max_push_constant_bytes) return dispatch.label + ": push constants";
      const std::uint32_t subgroup = dispatch.kernel.subgroup_size;
      if (subgroup != 0 && (subgroup < caps.min_subgroup_size || subgroup > caps.max_subgroup_size)) {
        return dispatch.label + ": subgroup size";
      }
    }
  }
  for (const std::uint64_t bytes : schedule.memory.arena_bytes) {
    if (bytes > caps.max_allocation_bytes) return "arena";
  }
  for (std::size_t i = 0; i < schedule.plan.tensors.size(); ++i) {
    const plan::TensorInfo& info = schedule.plan.tensors[i];
    const bool is_view = info.root != plan::TensorId(i);
    if (!is_view && largest_buffer(info) > caps.max_allocation_bytes) return info.name;
  }
  return "";
}

/// Adds what the kernels of `plan` ask beyond the limits of the device, a line each.
void check_kernels(const plan::Plan& plan, const vk::DeviceCaps& caps, std::set<std::string>& beyond) {
  static std::map<std::pair<std::string, std::vector<vk::Macro>>, vk::SpirvInterface> compiled;
  static vk::ShaderCompiler compiler({});
  plan::KernelList kernels;
  plan::add_kernels(kernels, plan);
  for (const auto& [key, use] : kernels) {
    const auto [at, is_new] = compiled.try_emplace({key.stem, key.macros});
    if (is_new) at->second = compiler.compile(key.stem, key.macros).interface;
    try {
      vk::check_contract(key, at->second, caps);
    } catch (const Error& error) {
      beyond.insert(error.what());
    }
  }
}

class DeviceProfiles : public testing::TestWithParam<vk::DeviceProfileFile> {};

TEST_P(DeviceProfiles, EveryPresetIsPlannedWithinTheLimitsOrRefusedByOne) {
  const vk::DeviceCaps caps = vk::parse_device_profile(GetParam().text, GetParam().name);
  int planned = 0;
  for (const Preset& preset : presets()) {
    for (const std::string amp : {"off", "fp16"}) {
      SCOPED_TRACE(std::string(preset.name) + " --amp " + amp);
      try {
        EXPECT_EQ(violation(schedule_of(preset, amp, caps), caps), "");
        ++planned;
      } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        EXPECT_THAT(message, AnyOf(HasSubstr(" of memory"), HasSubstr("in one allocation"),
                                   HasSubstr("the device binds"), HasSubstr("16-bit values in buffers")));
      }
    }
  }
  EXPECT_GE(planned, 2);
}

/// Arenas of 5.8 GiB, where one buffer may have 2 or 4.
TEST_P(DeviceProfiles, Gpt2XlIsPlannedWithEnoughMemory) {
  vk::DeviceCaps caps = vk::parse_device_profile(GetParam().text, GetParam().name);
  caps.heap_bytes = 1ULL << 40;
  const auto xl = std::ranges::find(presets(), "gpt2-xl", &Preset::name);
  ASSERT_NE(xl, presets().end());
  EXPECT_EQ(violation(schedule_of(*xl, "off", caps), caps), "");
  if (caps.storage_16bit) {
    EXPECT_EQ(violation(schedule_of(*xl, "fp16", caps), caps), "");
  }
}

TEST_P(DeviceProfiles, KernelsKeepToWorkgroupsAndSharedMemory) {
  vk::DeviceCaps caps = vk::parse_device_profile(GetParam().text, GetParam().name);
  caps.heap_bytes = caps.heap_budget_bytes = 1ULL << 40;
  std::set<std::string> beyond;
  for (const char* name : {"gpt2", "smollm2-135m"}) {
    const auto preset = std::ranges::find(presets(), name, &Preset::name);
    ASSERT_NE(preset, presets().end());
    for (const std::string amp : {"off", "fp16"}) {
      if (amp != "off" && !caps.storage_16bit) continue;
      check_kernels(schedule_of(*preset, amp, caps).plan, caps, beyond);
    }
    const model::GptParams params(settings_of(*preset, "off").model);
    for (const char* dtype : {"f32", "f16", "q8_0"}) {
      if (dtype == std::string("f16") && !caps.storage_16bit) continue;
      check_kernels(model::build_decode_plan(params, {.caps = caps}, model::decode_options(dtype, 4)), caps,
                    beyond);
    }
  }
  EXPECT_THAT(beyond, testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, DeviceProfiles,
                         testing::ValuesIn(vk::device_profile_files().begin(),
                                           vk::device_profile_files().end()),
                         [](const auto& profile) {
                           return std::string(profile.param.name.substr(0, profile.param.name.find('.')));
                         });

TEST(PlanCommand, PlansForADeviceProfile) {
  const RunResult plan = run_vkgpt({"plan", "--preset", "gpt2", "--amp", "fp16", "--device_profile", "h100"});
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("linear_forward_khr"));
  const RunResult refused = run_vkgpt({"plan", "--preset", "gpt2-large", "--device_profile", "gtx1660"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("NVIDIA GeForce GTX 1660 has 6 GiB"));
  const RunResult unknown = run_vkgpt({"plan", "--device_profile", "voodoo2"});
  EXPECT_EQ(unknown.code, 2);
  const RunResult table = run_vkgpt({"plan", "--presets", "--device_profile", "gtx1660"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("gpt2-large     the plan needs"));
}

TEST(GpuDevicesCommand, SavesAProfileThatPlanTakes) {
  const TempDirectory directory;
  const std::string file = (directory / "card.json").string();
  ASSERT_EQ(run_vkgpt({"devices", "--save", file}).code, 0);
  const RunResult plan = run_vkgpt({"plan", "--device_profile", file});
  EXPECT_EQ(plan.code, 0) << plan.err;
}

}  // namespace
}  // namespace vkgpt::cli
