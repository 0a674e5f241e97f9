#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "vkgpt/vk/shader_compiler.hpp"

namespace vkgpt::vk {

/// Everything that tells one compute pipeline from another.
struct PipelineKey {
  std::string stem;  // shaders/<stem>.comp
  std::vector<Macro> macros;
  std::vector<std::uint32_t> spec_constants;  // constant_id 0, 1, ...
  // Required size, of which the workgroup's x size is a multiple; 0 = the driver's choice.
  std::uint32_t subgroup_size = 0;
  std::uint32_t binding_count = 0;  // storage buffers at set 0, binding 0, 1, ...
  std::uint32_t push_bytes = 0;
  auto operator<=>(const PipelineKey&) const = default;
};

/// "EPILOGUE=1 [64,32]": the macros and specialization constants.
std::string variant_text(const PipelineKey& key);
/// "matmul_forward EPILOGUE=1 [64,32]", for debuggers and messages.
std::string describe(const PipelineKey& key);

}  // namespace vkgpt::vk
