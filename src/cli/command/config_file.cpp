#include "cli/command/config_file.hpp"

#include <cstdint>
#include <istream>
#include <set>
#include <spanstream>
#include <utility>

#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/command/arguments.hpp"

namespace vkgpt::cli {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;

/// Takes a flat map apart while it is parsed: the first nested value ends the parse, so that depth and
/// aliases cost nothing.
class FlatMapReader final : public YAML::EventHandler {
 public:
  explicit FlatMapReader(const std::string& where) : where_(where) {}

  std::vector<Setting> take() { return std::move(settings_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) fail_usage("{}: a second document begins, expected one map", place(mark));
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    if (!in_map_) return;
    if (!has_key_ || in_list_) refuse(mark, "empty");
    has_key_ = false;  // "no value" leaves the setting as it is
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { refuse(mark, "an alias"); }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    if (!in_map_ || !has_key_) refuse(mark, "a list");
    if (in_list_) refuse(mark, "a list of lists");
    in_list_ = true;
    add(mark, "");
  }
  void OnSequenceEnd() override {
    in_list_ = false;
    has_key_ = false;
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    if (in_map_) {
      if (in_list_ || in_section_ || !has_key_ || !is_config_section(key_)) refuse(mark, "a map");
      in_section_ = true;
      keys_.erase(key_);  // the name of a section is not a key
      has_key_ = false;
    }
    in_map_ = true;
  }
  void OnMapEnd() override {
    in_map_ = in_section_;
    in_section_ = false;
  }

  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    if (!in_map_) refuse(mark, "a single value");
    if (in_list_) {
      std::string& text = settings_.back().text;
      text += text.empty() ? value : "," + value;
      return;
    }
    if (has_key_) {
      add(mark, value);
    } else {
      if (!keys_.insert(value).second)
        fail_usage("{}: key '{}' is there twice", place(mark), printable(value));
      key_ = value;
    }
    has_key_ = !has_key_;
  }

 private:
  void add(const YAML::Mark& mark, std::string text) {
    settings_.push_back(
        {.key = key_, .text = std::move(text), .origin = SettingOrigin::kConfigFile, .where = place(mark)});
  }

  std::string place(const YAML::Mark& mark) const {
    return vkgpt::format("{}, line {}", where_, mark.line + 1);
  }

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view what) const {
    if (!in_map_) fail_usage("{}: expected a map of keys and values, found {}", place(mark), what);
    if (!has_key_) fail_usage("{}: a key is {}, expected a name", place(mark), what);
    fail_usage("{}: '{}' is {}, expected a single value", place(mark), printable(key_), what);
  }

  const std::string& where_;
  int documents_ = 0;
  bool in_map_ = false;
  bool in_section_ = false;
  bool in_list_ = false;  // whose items are joined by commas, as a flag would take them
  bool has_key_ = false;
  std::string key_;
  std::set<std::string> keys_;
  std::vector<Setting> settings_;
};

}  // namespace

std::vector<Setting> read_flat_yaml(std::string_view text, const std::string& where) {
  FlatMapReader reader(where);
  // yaml-cpp notices a quote that is never closed only where no line end follows it.
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  try {
    std::ispanstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(reader)) {
    }
  } catch (const YAML::Exception& error) {
    fail_usage("{}, line {}: not valid YAML: {}", where, error.mark.line + 1, printable(error.msg, 100));
  }
  return reader.take();
}

std::vector<Setting> read_config_file(const Path& path) {
  const std::string text = read_file(path, kMaxBytes);
  const std::string where = printable(path.string(), 200);
  std::vector<Setting> settings = path.extension() == ".json"
                                      ? read_flat_json(text, SettingOrigin::kConfigFile, where)
                                      : read_flat_yaml(text, where);
  for (Setting& setting : settings) setting.key = canonical_key(setting.key);
  return settings;
}

}  // namespace vkgpt::cli
