// Proves that validation is alive: planted bugs are reported, the same programs without them are not.

#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/vk/context.hpp"

#include "support/scoped_environment.hpp"

namespace vkgpt::vk {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint32_t kCount = 64;
constexpr std::uint64_t kBytes = kCount * 4;

// y[i + shift] = x[i] + 1
constexpr const char* kShift = R"(#version 460
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) readonly buffer In { uint x[]; };
layout(set = 0, binding = 1) writeonly buffer Out { uint y[]; };
layout(push_constant) uniform Push { uint shift; };
void main() {
  const uint i = gl_GlobalInvocationID.x;
  y[i + shift] = x[i] + 1;
}
)";

/// A context of its own with two buffers, so that its messages stay apart from the shared context's.
class Planted {
 public:
  explicit Planted(ValidationMode mode) : context_(options(mode)) {
    context_.staging().fill(a_, 0, kBytes, 1);
    context_.staging().fill(b_, 0, kBytes, 2);
  }

  Context& context() { return context_; }
  const Buffer& a() const { return a_; }
  const Buffer& b() const { return b_; }

  void dispatch(CommandBuffer& commands, const Buffer& x, const Buffer& y, std::uint32_t shift) {
    const BufferRange ranges[] = {{x.handle(), 0, kBytes}, {y.handle(), 0, kBytes}};
    const std::uint32_t push[] = {shift};
    commands.dispatch(pipeline_, sets_.allocate(pipeline_, ranges), push, {kCount / 32, 1, 1});
  }

  void submit(const CommandBuffer& commands) {
    context_.queue().wait(context_.queue().submit(commands, "planted"));
  }

  std::vector<std::string> take_messages() { return context_.instance().messages().take(); }

 private:
  static ContextOptions options(ValidationMode mode) {
    ContextOptions options;
    const char* device = std::getenv("VKGPT_DEVICE");
    options.device = device == nullptr ? "" : device;
    options.validation = mode;
    options.cache_dir.clear();
    return options;
  }

  Context context_;
  const Pipeline& pipeline_ = context_.pipelines().get({.stem = "test_shift",
                                                        .macros = {},
                                                        .spec_constants = {},
                                                        .subgroup_size = 0,
                                                        .binding_count = 2,
                                                        .push_bytes = 4},
                                                       kShift);
  Buffer a_{context_.device(), kBytes, MemoryKind::kDevice, "a"};
  Buffer b_{context_.device(), kBytes, MemoryKind::kDevice, "b"};
  DescriptorPool sets_{context_.device(), 8, 16};
};

TEST(GpuValidation, SynchronizationReportsAMissingBarrier) {
  Planted planted(ValidationMode::kSync);
  for (const bool with_barrier : {true, false}) {
    CommandBuffer commands(planted.context().device(), "chain");
    commands.begin();
    planted.dispatch(commands, planted.a(), planted.b(), 0);
    if (with_barrier) commands.barrier();
    planted.dispatch(commands, planted.b(), planted.a(), 0);
    commands.end();
    planted.submit(commands);
    const std::vector<std::string> messages = planted.take_messages();
    if (with_barrier) {
      EXPECT_THAT(messages, IsEmpty());
    } else {
      ASSERT_THAT(messages, Not(IsEmpty()));
      EXPECT_THAT(messages.front(), HasSubstr("SYNC-HAZARD"));
    }
  }
}

TEST(GpuValidation, SynchronizationReportsAMissingBarrierToACopy) {
  Planted planted(ValidationMode::kSync);
  CommandBuffer commands(planted.context().device(), "copy");
  commands.begin();
  planted.dispatch(commands, planted.a(), planted.b(), 0);
  commands.copy({planted.b().handle(), 0, 16}, {planted.a().handle(), 128, 16});
  commands.end();
  EXPECT_THAT(planted.take_messages(), testing::Contains(HasSubstr("SYNC-HAZARD")));
}

TEST(GpuValidation, SynchronizationReportsAMissingBarrierBetweenSubmissions) {
  Planted planted(ValidationMode::kSync);
  const VolkDeviceTable& table = planted.context().device().table();
  CommandBuffer first(planted.context().device(), "first");
  first.begin();
  planted.dispatch(first, planted.a(), planted.b(), 0);
  first.end();
  // Recorded by hand, because CommandBuffer::begin would put the barrier that is left out here.
  CommandBuffer second(planted.context().device(), "second");
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  ASSERT_EQ(table.vkBeginCommandBuffer(second.handle(), &info), VK_SUCCESS);
  planted.dispatch(second, planted.b(), planted.a(), 0);
  ASSERT_EQ(table.vkEndCommandBuffer(second.handle()), VK_SUCCESS);
  Queue& queue = planted.context().queue();
  queue.submit(first, "first");
  queue.submit(second, "second");
  queue.wait_idle();
  EXPECT_THAT(planted.take_messages(), testing::Contains(HasSubstr("SYNC-HAZARD")));
}

TEST(GpuValidation, GpuAssistedReportsAnOutOfBoundsStore) {
  Planted planted(ValidationMode::kGpu);
  if (!planted.context().caps().shader_int64) {
    planted.take_messages();
    GTEST_SKIP() << "GPU-assisted validation needs 64-bit integers";
  }
  for (const std::uint32_t shift : {0u, 1u}) {
    CommandBuffer commands(planted.context().device(), "shift");
    commands.begin();
    planted.dispatch(commands, planted.a(), planted.b(), shift);
    commands.end();
    planted.submit(commands);
    const std::vector<std::string> messages = planted.take_messages();
    if (shift == 0) {
      EXPECT_THAT(messages, IsEmpty());
    } else {
      ASSERT_THAT(messages, Not(IsEmpty()));
      EXPECT_THAT(messages.front(), HasSubstr("access out of bounds"));
    }
  }
}

TEST(GpuValidation, CoreReportsInvalidUseAndCheckMessagesThrows) {
  Planted planted(ValidationMode::kCore);
  EXPECT_NO_THROW(planted.context().instance().check_messages());
  CommandBuffer commands(planted.context().device(), "copy");
  commands.begin();
  commands.copy({planted.a().handle(), 0, 8}, {planted.a().handle(), 4, 8});  // overlaps
  commands.end();
  try {
    planted.context().instance().check_messages();
    FAIL() << "nothing was reported";
  } catch (const Error& e) {
    EXPECT_EQ(e.exit_code(), ExitCode::kFailure);
    EXPECT_THAT(e.what(), HasSubstr("vkCmdCopyBuffer"));
  }
  EXPECT_NO_THROW(planted.context().instance().check_messages());
}

TEST(GpuValidation, EverythingIsDestroyedBeforeTheDevice) {
  const Instance instance(ValidationMode::kCore);
  {
    const char* selector = std::getenv("VKGPT_DEVICE");
    Device device(instance, select_device(enumerate_devices(instance), selector == nullptr ? "" : selector));
    ShaderCompiler compiler({});
    PipelineCache pipelines(device, compiler, {});
    pipelines.get({.stem = "test_shift",
                   .macros = {},
                   .spec_constants = {},
                   .subgroup_size = 0,
                   .binding_count = 2,
                   .push_bytes = 4},
                  kShift);
    Queue queue(device);
    Staging staging(device, queue);
    Buffer buffer(device, 8, MemoryKind::kDevice, "buffer");
    Buffer moved = std::move(buffer);
    buffer = Buffer(device, 8, MemoryKind::kReadback, "other");
    moved = std::move(buffer);
    staging.fill(moved, 0, 8, 0);
  }
  EXPECT_THAT(instance.messages().take(), IsEmpty());
}

TEST(GpuValidation, TheExpectedLayerAndDriverAreLoaded) {
  Planted planted(ValidationMode::kCore);
  EXPECT_THAT(planted.context().instance().layer_version(), testing::MatchesRegex("1\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(planted.context().caps().driver, Not(IsEmpty()));
  // tools/test.sh says which driver must be the one.
  if (const char* expected = std::getenv("VKGPT_EXPECT_DRIVER"); expected != nullptr) {
    EXPECT_THAT(planted.context().caps().driver, HasSubstr(expected));
  }
}

class GpuMissing : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(empty_); }
  void TearDown() override { std::filesystem::remove_all(empty_); }

  std::filesystem::path empty_ = std::filesystem::path(testing::TempDir()) / "vkgpt-empty-directory";
};

TEST_F(GpuMissing, LayerIsOneClearLine) {
  const test::ScopedEnvironment path("VK_LAYER_PATH", empty_);
  EXPECT_NO_THROW(Instance(ValidationMode::kOff));
  try {
    const Instance instance(ValidationMode::kSync);
    FAIL() << "validation started without its layer";
  } catch (const Error& e) {
    EXPECT_EQ(e.exit_code(), ExitCode::kFailure);
    EXPECT_THAT(e.what(), HasSubstr("install the package vulkan-validationlayers"));
    EXPECT_THAT(e.what(), Not(HasSubstr("\n")));
  }
}

TEST_F(GpuMissing, DriverIsOneClearLine) {
  const test::ScopedEnvironment files("VK_DRIVER_FILES", empty_);
  try {
    const Context context(ContextOptions{});
    FAIL() << "a context without a driver";
  } catch (const Error& e) {
    EXPECT_EQ(e.exit_code(), ExitCode::kFailure);
    EXPECT_THAT(e.what(), HasSubstr("mesa-vulkan-drivers"));
    EXPECT_THAT(e.what(), Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace vkgpt::vk
