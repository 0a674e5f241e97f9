#include "vkgpt/vk/device_profile.hpp"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::vk {
namespace {

using nlohmann::ordered_json;

/// `profile` with `change` made to it.
template <typename Change>
std::string changed(const char* profile, Change&& change) {
  ordered_json json = ordered_json::parse(device_profile(load_device_profile(profile)));
  change(json);
  return json.dump();
}

TEST(DeviceProfile, EveryBuiltInOneSurvivesWritingAndReading) {
  EXPECT_GE(device_profile_files().size(), 14U);
  for (const DeviceProfileFile& file : device_profile_files()) {
    const DeviceCaps caps = parse_device_profile(file.text, file.name);
    EXPECT_EQ(device_profile(caps), file.text) << file.name << " is not as 'vkgpt devices --save' writes it";
    EXPECT_FALSE(caps.name.empty()) << file.name;
    EXPECT_GT(caps.heap_bytes, 0U) << file.name;
  }
}

TEST(DeviceProfile, HoldsEveryKindOfField) {
  const DeviceCaps caps = load_device_profile("h100");
  EXPECT_EQ(caps.vendor_id, kVendorNvidia);
  EXPECT_EQ(caps.max_workgroup_count[0], 2147483647U);
  EXPECT_TRUE(caps.subgroup_size_control);
  EXPECT_EQ(caps.cooperative_matrices.at(0).ab_type, "f16");
  EXPECT_TRUE(caps.cooperative_matrix2.value().workgroup_scope);
  EXPECT_FALSE(load_device_profile("gtx1660").cooperative_matrix2);
  EXPECT_EQ(load_device_profile("amd_navi21").max_allocation_bytes, 2ULL << 30);
}

TEST(DeviceProfile, IsAFileToo) {
  const TempDirectory directory;
  const Path path = directory / "card.json";
  write_file(path, changed("h100", [](ordered_json& json) { json["name"] = "Mine"; }));
  EXPECT_EQ(load_device_profile(path.string()).name, "Mine");
}

TEST(DeviceProfile, RefusesInOneLineWhatIsNone) {
  const auto refuses = [](const std::string& text, const std::string& words) {
    const std::string message = expect_error([&] { parse_device_profile(text, "card.json"); }, words);
    EXPECT_THAT(message, testing::StartsWith("card.json"));
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  };
  const auto set = [&](const char* field, const ordered_json& value) {
    return changed("h100", [&](ordered_json& json) { json[field] = value; });
  };
  refuses("", "JSON");
  refuses("[]", "not a device profile");
  refuses("{}", "format");
  refuses(R"({"format": "vkgpt device 9"})", "not a device profile");
  refuses(changed("h100", [](ordered_json& json) { json.erase("heap_bytes"); }), "heap_bytes");
  refuses(set("heap_byte", 1), "did you mean 'heap_bytes'?");
  refuses(set("heap_bytes", -1), "heap_bytes");
  refuses(set("heap_bytes", "80 GiB"), "heap_bytes");
  refuses(set("type", "toaster"), "'type' is not discrete");
  refuses(set("vendor_id", 1LL << 40), "below 2^32");
  refuses(set("subgroup_size", 0), "subgroup sizes 0");
  refuses(set("subgroup_size", 48), "subgroup sizes 48");
  refuses(set("max_subgroup_size", 16), "in order");
  refuses(set("storage_buffer_alignment", 3), "not a power of two");
  refuses(set("max_workgroup_size", {1024, 1024}), "three numbers");
  refuses(set("max_workgroup_count", {0, 65535, 65535}), "Vulkan guarantees 65535");
  refuses(set("shared_memory_bytes", 100), "Vulkan guarantees 16384");
  refuses(set("cooperative_matrices", {{{"m", 16}}}), "\"n\" is missing");
  refuses(set("cooperative_matrices", ordered_json::object()), "a list");
  refuses(set("timestamp_period_ns", -1.0), "timestamp_period_ns");
  const std::string whole = device_profile(load_device_profile("h100"));
  refuses(whole.substr(0, whole.size() / 2), "JSON");
}

TEST(DeviceProfile, AnUnknownNameListsTheKnownOnes) {
  const std::string message =
      expect_error([] { load_device_profile("voodoo2"); }, "there is no device profile 'voodoo2'");
  EXPECT_THAT(message, testing::HasSubstr("h100"));
}

}  // namespace
}  // namespace vkgpt::vk
