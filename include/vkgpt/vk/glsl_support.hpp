#pragma once

namespace vkgpt::vk {

/// Whether the shader compiler knows GL_EXT_bfloat16: that of Debian 13 does not yet.
bool compiles_bfloat16();

}  // namespace vkgpt::vk
