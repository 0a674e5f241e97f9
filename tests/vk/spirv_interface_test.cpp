#include "vkgpt/vk/spirv_interface.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

namespace vkgpt::vk {
namespace {

using Words = std::vector<std::uint32_t>;

CompiledShader compile(const std::string& body, const std::string& head = "") {
  ShaderCompiler compiler({});
  const std::string text = "#version 460\n" + head + "layout(local_size_x = 8) in;\n" + body;
  return compiler.compile_text("test", text, {});
}

/// "r", "w", "rw" or "-" for each binding, "." for a gap.
std::string accesses(const SpirvInterface& interface) {
  std::string text;
  for (const BufferInterface& buffer : interface.buffers) {
    if (!text.empty()) text += ' ';
    const std::string access = std::string(buffer.reads ? "r" : "") + (buffer.writes ? "w" : "");
    text += !buffer.is_declared ? "." : access.empty() ? "-" : access;
  }
  return text;
}

std::string accesses(const std::string& body) {
  return accesses(compile(body).interface);
}

TEST(SpirvInterface, BindingsHaveTheAccessesOfTheirInstructions) {
  EXPECT_EQ(accesses(R"(
    layout(set = 0, binding = 0) buffer A { uint a[]; };
    layout(set = 0, binding = 1) buffer B { uint b[]; };
    layout(set = 0, binding = 3) buffer C { uint c[]; };
    layout(set = 0, binding = 2) buffer D { uint d[]; };
    layout(set = 0, binding = 4) buffer E { uint e[]; };
    void main() { b[0] = a[0]; c[1] += 1; atomicAdd(d[0], 1); if (e.length() > 2) b[1] = 0; })"),
            "r w rw rw -");
}

TEST(SpirvInterface, AnArrayLengthAndAnUnusedBufferAreNoAccess) {
  EXPECT_EQ(accesses("layout(set = 0, binding = 0) buffer A { uint a[]; };\n"
                     "layout(set = 0, binding = 1) buffer B { uint b[]; };\n"
                     "void main() { b[0] = a.length(); }"),
            "- w");
}

TEST(SpirvInterface, SharedMemoryIsCountedUnderItsConstants) {
  ShaderCompiler compiler({});
  const SpirvInterface interface = compiler
                                       .compile_text("test", R"(#version 460
    layout(local_size_x_id = 0, local_size_y = 4) in;
    layout(constant_id = 1) const uint kParts = 1;
    struct Pair { uint low, high; };
    shared float found[gl_WorkGroupSize.x * gl_WorkGroupSize.y];
    shared vec4 words[2][3];
    shared Pair pairs[kParts];
    layout(set = 0, binding = 0) buffer A { float a[]; };
    void main() {
      found[gl_LocalInvocationIndex] = a[0];
      words[1][2] = vec4(a[1]);
      pairs[0].high = 1;
      barrier();
      a[0] = found[1] + words[1][2].x + float(pairs[0].high);
    })",
                                                     {})
                                       .interface;
  const std::vector<std::uint32_t> constants = {32, 5};
  EXPECT_EQ(interface.workgroup_size(constants), (std::array<std::uint64_t, 3>{32, 4, 1}));
  EXPECT_EQ(interface.shared_bytes(constants), 32U * 4 * 4 + 2 * 3 * 16 + 5 * 8);
}

TEST(SpirvInterface, AGapBetweenBindingsIsSeen) {
  EXPECT_EQ(accesses("layout(set = 0, binding = 2) readonly buffer A { uint a[]; };\n"
                     "layout(set = 0, binding = 0) writeonly buffer B { uint b[]; };\n"
                     "void main() { b[0] = a[0]; }"),
            "w . r");
}

TEST(SpirvInterface, SeveralBlocksMayShareABinding) {
  EXPECT_EQ(accesses("layout(set = 0, binding = 0) readonly buffer A { uint a[]; };\n"
                     "layout(set = 0, binding = 0) writeonly buffer A4 { uvec4 a4[]; };\n"
                     "void main() { a4[1] = uvec4(a[0]); }"),
            "rw");
}

TEST(SpirvInterface, AccessesThroughFunctionsAndStructsCount) {
  EXPECT_EQ(accesses(R"(
    struct Pair { uint x; uint y[4]; };
    layout(set = 0, binding = 0) buffer A { Pair a[]; };
    layout(set = 0, binding = 1) buffer B { uint count; Pair b[2]; };
    uint value(uint i) { return a[i].y[i & 3]; }
    void put(uint i, uint x) { b[i].y[1] = x; }
    void main() { put(0, value(gl_GlobalInvocationID.x)); })"),
            "r w");
}

TEST(SpirvInterface, ReadsPushConstantsSpecializationConstantsAndWorkgroup) {
  ShaderCompiler compiler({});
  const SpirvInterface interface = compiler
                                       .compile_text("test", R"(#version 460
    #extension GL_KHR_shader_subgroup_arithmetic : require
    layout(local_size_x_id = 1, local_size_y = 2) in;
    layout(constant_id = 0) const uint kItems = 4;
    layout(push_constant) uniform Push { uint count; float rates[3]; vec2 pair; };
    layout(set = 0, binding = 0) buffer A { float a[]; };
    void main() { a[count] = subgroupAdd(rates[1] + pair.y + float(kItems)); })",
                                                     {})
                                       .interface;
  EXPECT_EQ(interface.push_bytes, 24U);
  EXPECT_EQ(interface.spec_ids, (Words{0, 1}));
  EXPECT_EQ(interface.workgroup[0].spec_id, 1U);
  EXPECT_FALSE(interface.workgroup[1].spec_id.has_value());
  EXPECT_EQ(interface.workgroup[1].value, 2U);
  EXPECT_TRUE(interface.uses_subgroups());
  EXPECT_FALSE(interface.uses_cooperative_matrices());

  const SpirvInterface plain = compile("void main() {}").interface;
  EXPECT_EQ(plain.push_bytes, 0U);
  EXPECT_EQ(plain.workgroup[0].value, 8U);
  EXPECT_TRUE(plain.buffers.empty());
  EXPECT_TRUE(plain.spec_ids.empty());
  EXPECT_FALSE(plain.uses_subgroups());
}

TEST(SpirvInterface, CooperativeMatricesAreStoresAndLoads) {
  const SpirvInterface interface = compile(R"(
    layout(set = 0, binding = 0) buffer A { float a[]; };
    layout(set = 0, binding = 1) buffer B { float b[]; };
    void main() {
      coopmat<float, gl_ScopeSubgroup, 8, 8, gl_MatrixUseAccumulator> m;
      coopMatLoad(m, a, 0, 8, gl_CooperativeMatrixLayoutRowMajor);
      coopMatStore(m, b, 0, 8, gl_CooperativeMatrixLayoutRowMajor);
    })",
                                           "#extension GL_KHR_cooperative_matrix : require\n"
                                           "#extension GL_KHR_memory_scope_semantics : require\n")
                                       .interface;
  EXPECT_EQ(accesses(interface), "r w");
  EXPECT_TRUE(interface.uses_cooperative_matrices());
  EXPECT_FALSE(interface.uses_cooperative_matrices2());
}

TEST(SpirvInterface, DescriptorsThatNoPlanHasAreRefused) {
  EXPECT_THROW(compile("layout(set = 1, binding = 0) buffer A { uint a[]; }; void main() { a[0] = 1; }"),
               Error);
  EXPECT_THROW(compile("layout(set = 0, binding = 64) buffer A { uint a[]; }; void main() { a[0] = 1; }"),
               Error);
  EXPECT_THROW(compile("layout(set = 0, binding = 0) uniform A { uint x; };\n"
                       "layout(set = 0, binding = 1) buffer B { uint b[]; }; void main() { b[0] = x; }"),
               Error);
}

/// Every word in turn is cut off, zeroed, set to ones or replaced by its neighbour: a reading or an `Error`.
TEST(SpirvInterface, DamagedModulesNeverCrash) {
  const Words intact = compile(
                           "layout(push_constant) uniform Push { uint n[2]; };\n"
                           "layout(set = 0, binding = 0) buffer A { uint a[]; };\n"
                           "void main() { a[n[1]] += 1; }")
                           .words;
  int refused = 0;
  const auto try_words = [&](const Words& words) {
    try {
      read_spirv_interface(words);
    } catch (const Error& error) {
      ++refused;
      EXPECT_THAT(error.what(), testing::StartsWith("SPIR-V: "));
      EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    }
  };
  for (std::size_t at = 0; at < intact.size(); ++at) {
    try_words(Words(intact.begin(), intact.begin() + static_cast<std::ptrdiff_t>(at)));
    for (const std::uint32_t word :
         {0U, 0xffffffffU, intact[(at + 1) % intact.size()], intact[at] ^ 0x10000U}) {
      Words words = intact;
      words[at] = word;
      try_words(words);
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace vkgpt::vk
