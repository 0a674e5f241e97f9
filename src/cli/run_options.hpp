#pragma once

#include <string>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/device/backend_report.hpp"

namespace vkgpt::cli {

/// What every command that touches a device takes.
struct RunOptions {
  std::string device;
  std::string validation = "off";
  std::string matmul_backend = "auto";
  std::string attention_backend = "auto";
  std::string shader_dir;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Device and output";
    visit(FieldInfo{.name = "device",
                    .group = kGroup,
                    .help = "Number, name or UUID as 'vkgpt devices' shows; empty takes the best"},
          self.device);
    visit(FieldInfo{.name = "validation",
                    .group = kGroup,
                    .help = "Vulkan validation; any message ends the run",
                    .choices = "off|core|sync|gpu"},
          self.validation);
    constexpr auto kBackends = "auto|scalar|simt|khr|nv";
    visit(FieldInfo{.name = "matmul_backend",
                    .group = kGroup,
                    .help = "Kernels of matrix products: registers, shared memory, cooperative matrices",
                    .choices = kBackends},
          self.matmul_backend);
    visit(FieldInfo{.name = "attention_backend",
                    .group = kGroup,
                    .help = "Kernels of attention, likewise",
                    .choices = kBackends},
          self.attention_backend);
    visit(FieldInfo{.name = "shader_dir",
                    .group = kGroup,
                    .help = "Folder to read kernels from, like shaders; empty takes those in the program"},
          self.shader_dir);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the summary as JSON"}, self.json);
  }
};

inline vk::ContextOptions context_options(const RunOptions& options) {
  return {.device = options.device,
          .validation = vk::parse_validation_mode(options.validation),
          .shader_dir = options.shader_dir,
          .kernels = {.matmul = vk::find_backend(options.matmul_backend),
                      .attention = vk::find_backend(options.attention_backend)},
          .check = check_backends};
}

}  // namespace vkgpt::cli
