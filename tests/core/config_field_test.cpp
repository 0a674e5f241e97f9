#include "vkgpt/core/config_field.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"

namespace vkgpt {
namespace {

struct Example {
  bool fast = false;
  std::int64_t layers = 4;
  std::uint64_t seed = 1;
  double rate = 0.5;
  std::string mode = "off";
  std::int64_t derived = 0;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "fast", .group = "A", .help = ""}, self.fast);
    visit(FieldInfo{.name = "layers", .group = "A", .help = "", .min = 1, .max = 1024}, self.layers);
    visit(FieldInfo{.name = "seed", .group = "A", .help = ""}, self.seed);
    visit(FieldInfo{.name = "rate", .group = "B", .help = "", .min = 0, .max = 1, .max_open = true},
          self.rate);
    visit(FieldInfo{.name = "mode", .group = "B", .help = "", .choices = "off|core|sync"}, self.mode);
    visit(FieldInfo{.name = "derived", .group = "B", .help = "", .file_only = true}, self.derived);
  }
};

Setting flag(const std::string& key, const std::string& text) {
  return {.key = key, .text = text, .origin = SettingOrigin::kFlag, .where = "--" + key};
}

/// The message of the usage error that setting it gives.
std::string refusal(const Setting& setting) {
  Example example;
  FieldSet fields(example);
  try {
    fields.set(setting);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(),
              setting.origin == SettingOrigin::kSavedFile ? ExitCode::kFailure : ExitCode::kUsage);
    EXPECT_FALSE(fields.was_set("layers"));
    EXPECT_EQ(example.layers, 4);
    return error.what();
  }
  ADD_FAILURE() << setting.key << " = " << setting.text << " was accepted";
  return {};
}

TEST(ConfigField, ParsesEveryType) {
  Example example;
  FieldSet fields(example);
  fields.set(flag("fast", "Yes"));
  fields.set(flag("layers", "1e2"));
  fields.set(flag("seed", "18446744073709551615"));
  fields.set(flag("rate", "2.5e-1"));
  fields.set(flag("mode", "sync"));
  EXPECT_TRUE(example.fast);
  EXPECT_EQ(example.layers, 100);
  EXPECT_EQ(example.seed, UINT64_MAX);
  EXPECT_EQ(example.rate, 0.25);
  EXPECT_EQ(example.mode, "sync");
  EXPECT_TRUE(fields.was_set("layers"));
  EXPECT_FALSE(fields.was_set("derived"));
  EXPECT_EQ(fields.find("layers")->text(), "100");
  EXPECT_EQ(fields.find("layers")->default_text, "4");
}

TEST(ConfigField, SaysWhatIsAllowed) {
  EXPECT_EQ(refusal(flag("layers", "abc")), "--layers = 'abc': expected an integer from 1 to 1024");
  EXPECT_EQ(refusal(flag("layers", "0")), "--layers = '0': expected an integer from 1 to 1024");
  EXPECT_EQ(refusal(flag("mode", "gpu")), "--mode = 'gpu': expected one of off|core|sync");
  EXPECT_EQ(refusal(flag("rate", "1")), "--rate = '1': expected a number from 0 to below 1");
  EXPECT_EQ(refusal(flag("fast", "maybe")), "--fast = 'maybe': expected true or false");
  EXPECT_EQ(refusal({"layers", "4.5", SettingOrigin::kConfigFile, "a.yaml, line 3"}),
            "layers = '4.5' in a.yaml, line 3: expected an integer from 1 to 1024");
  EXPECT_EQ(refusal({"layers", "", SettingOrigin::kEnvironment, "VKGPT_LAYERS"}),
            "VKGPT_LAYERS = '': expected an integer from 1 to 1024");
}

TEST(ConfigField, RefusesWhatNoNumberIs) {
  for (const char* text :
       {"", " 5", "5 ", "0x10", "+5", "1e400", "nan", "inf", "--5", "9223372036854775808"}) {
    refusal(flag("layers", text));
    refusal(flag("rate", text));
  }
  refusal(flag("seed", "-1"));
  refusal(flag("seed", "-0.5"));
  refusal(flag("seed", "18446744073709551616"));
  refusal(flag("mode", std::string("off\0", 4)));
}

TEST(ConfigField, SuggestsTheNearestKeyInTheSpellingOfItsOrigin) {
  EXPECT_EQ(refusal({"layer", "1", SettingOrigin::kFlag, "--layer"}),
            "unknown flag --layer: did you mean --layers?");
  EXPECT_EQ(refusal({"layer", "1", SettingOrigin::kEnvironment, "VKGPT_LAYER"}),
            "unknown variable VKGPT_LAYER: did you mean VKGPT_LAYERS?");
  EXPECT_EQ(refusal({"layer", "1", SettingOrigin::kConfigFile, "a.json"}),
            "unknown key 'layer' in a.json: did you mean 'layers'?");
  EXPECT_EQ(refusal({"zebra\n", "1", SettingOrigin::kSavedFile, "a.json"}),
            "unknown key 'zebra\\x0a' in a.json");
}

TEST(ConfigField, KeepsFileOnlyFieldsFromFlags) {
  EXPECT_EQ(refusal(flag("derived", "1")), "unknown flag --derived");
  Example example;
  FieldSet fields(example);
  fields.set({"derived", "65", SettingOrigin::kConfigFile, "a.json"});
  EXPECT_EQ(example.derived, 65);
}

TEST(ConfigField, RefusesTwoFieldsOfOneName) {
  Example a;
  Example b;
  FieldSet fields(a);
  EXPECT_THROW(fields.add(b), CheckFailure);
}

}  // namespace
}  // namespace vkgpt
