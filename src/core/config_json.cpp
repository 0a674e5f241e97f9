#include "vkgpt/core/config_json.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {
namespace {

/// Takes a flat object apart while it is parsed: the first nested value ends the parse, so that depth costs
/// nothing.
class FlatObjectReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  FlatObjectReader(SettingOrigin origin, std::string where) : origin_(origin), where_(std::move(where)) {}

  std::vector<Setting> take() { return std::move(settings_); }

  bool null() override {
    if (!in_object_ || in_list_ || !takes_user_forms()) return refuse_value("null");
    return true;  // "no value" leaves the setting as it is
  }
  bool boolean(bool value) override { return store(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return store(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return store(std::to_string(value)); }
  bool number_float(number_float_t /*value*/, const string_t& raw) override { return store(raw); }
  bool string(string_t& value) override { return store(value); }
  bool binary(binary_t& /*value*/) override { return refuse_value("binary data"); }
  bool start_array(std::size_t /*size*/) override {
    if (!in_object_ || !takes_user_forms()) return refuse_value("a list");
    if (in_list_) return refuse_value("a list of lists");
    store("");
    in_list_ = true;
    return true;
  }
  bool end_array() override {
    in_list_ = false;
    return true;
  }
  bool end_object() override {
    in_section_ = false;
    return true;
  }

  bool start_object(std::size_t /*size*/) override {
    if (in_object_) {
      if (in_list_ || in_section_ || !takes_user_forms() || !is_config_section(key_)) {
        refuse_value("an object");
      }
      in_section_ = true;
      keys_.erase(key_);  // the name of a section is not a key
    }
    in_object_ = true;
    return true;
  }

  bool key(string_t& value) override {
    if (!keys_.insert(value).second)
      stop(vkgpt::format("{}: key '{}' is there twice", where_, printable(value)));
    key_ = value;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    if (error.id == 406) stop(vkgpt::format("{}: a number at byte {} is out of range", where_, position));
    stop(vkgpt::format("{}: not valid JSON at byte {}", where_, position));
  }

 private:
  [[noreturn]] void stop(const std::string& message) const {
    throw Error(message, origin_ == SettingOrigin::kSavedFile ? ExitCode::kFailure : ExitCode::kUsage);
  }

  bool refuse_value(std::string_view what) const {
    if (!in_object_) stop(vkgpt::format("{}: expected an object of keys and values, found {}", where_, what));
    stop(vkgpt::format("{}: '{}' is {}, expected a single value", where_, printable(key_), what));
  }

  bool store(std::string text) {
    if (!in_object_) refuse_value("a single value");
    if (in_list_) {
      std::string& list = settings_.back().text;
      list += list.empty() ? text : "," + text;
      return true;
    }
    settings_.push_back({.key = key_, .text = std::move(text), .origin = origin_, .where = where_});
    return true;
  }

  /// Lists and null, as users write them; files of our own have neither.
  bool takes_user_forms() const { return origin_ == SettingOrigin::kConfigFile; }

  SettingOrigin origin_;
  std::string where_;
  bool in_object_ = false;
  bool in_section_ = false;
  bool in_list_ = false;  // whose items are joined by commas, as a flag would take them
  std::string key_;
  std::set<std::string> keys_;
  std::vector<Setting> settings_;
};

}  // namespace

bool is_config_section(std::string_view name) {
  constexpr auto kSections = std::to_array<std::string_view>(
      {"model", "train", "training", "trainer", "data", "dataset", "optimizer", "scheduler", "lr_scheduler",
       "system", "logging", "eval", "evaluation", "checkpoint", "checkpointing"});
  return std::ranges::find(kSections, name) != kSections.end();
}

std::vector<Setting> read_flat_json(std::string_view text, SettingOrigin origin, const std::string& where) {
  FlatObjectReader reader(origin, where);
  nlohmann::json::sax_parse(text, &reader);
  return reader.take();
}

nlohmann::ordered_json to_json(const FieldSet& fields) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Field& field : fields.fields()) {
    std::visit([&](const auto* member) { json[std::string(field.info.name)] = *member; }, field.value);
  }
  return json;
}

}  // namespace vkgpt
