#include "vkgpt/vk/glsl_support.hpp"

#include <glslang/Public/ResourceLimits.h>
#include <glslang/Public/ShaderLang.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::vk {

bool compiles_bfloat16() {
  static const bool compiles = [] {
    VKGPT_CHECK(glslang::InitializeProcess());
    glslang::TShader shader(EShLangCompute);
    const char* const text = "#version 460\n#extension GL_EXT_bfloat16 : require\nvoid main() {}\n";
    shader.setStrings(&text, 1);
    shader.setEnvInput(glslang::EShSourceGlsl, EShLangCompute, glslang::EShClientVulkan, 100);
    shader.setEnvClient(glslang::EShClientVulkan, glslang::EShTargetVulkan_1_3);
    shader.setEnvTarget(glslang::EShTargetSpv, glslang::EShTargetSpv_1_6);
    return shader.parse(GetDefaultResources(), 460, false, EShMsgDefault);
  }();
  return compiles;
}

}  // namespace vkgpt::vk
