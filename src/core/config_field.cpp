#include "vkgpt/core/config_field.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {
namespace {

template <typename Number>
bool parse_whole(std::string_view text, Number& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end && !text.empty();
}

/// Integers may be written as 1e4 or 1000.0, as JSON writers do, where a double holds them exactly.
template <typename Integer>
bool parse_integer(std::string_view text, Integer& value) {
  if (parse_whole(text, value)) return true;
  constexpr double kExact = 9007199254740992.0;  // 2^53
  double number = 0;
  if (!parse_whole(text, number) || !(std::abs(number) <= kExact) || number != std::floor(number))
    return false;
  if (std::is_unsigned_v<Integer> && number < 0) return false;
  value = static_cast<Integer>(number);
  return true;
}

bool parse_value(std::string_view text, bool& value) {
  return parse_bool(text, value);
}
bool parse_value(std::string_view text, std::int64_t& value) {
  return parse_integer(text, value);
}
bool parse_value(std::string_view text, std::uint64_t& value) {
  return parse_integer(text, value);
}
bool parse_value(std::string_view text, double& value) {
  return parse_whole(text, value) && std::isfinite(value);
}
bool parse_value(std::string_view text, std::string& value) {
  value = text;
  return find_invalid_utf8(text) == std::string_view::npos && text.find('\0') == std::string_view::npos;
}

bool in_range(const FieldInfo& info, double value) {
  return (info.min_open ? value > info.min : value >= info.min) &&
         (info.max_open ? value < info.max : value <= info.max);
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (true) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    if (bar == std::string_view::npos) return false;
    choices.remove_prefix(bar + 1);
  }
}

template <typename T>
bool is_allowed(const FieldInfo& info, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return info.choices.empty() || is_choice(info.choices, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    return true;
  } else {
    return in_range(info, static_cast<double>(value));
  }
}

std::string range_text(const FieldInfo& info) {
  const std::string min = vkgpt::format("{}{}", info.min_open ? "above " : "from ", info.min);
  const std::string max = vkgpt::format("{}{}", info.max_open ? "below " : "", info.max);
  if (std::isfinite(info.min) && std::isfinite(info.max)) return vkgpt::format(" {} to {}", min, max);
  if (std::isfinite(info.min)) return info.min_open ? " " + min : vkgpt::format(" of at least {}", info.min);
  if (std::isfinite(info.max)) return info.max_open ? " " + max : vkgpt::format(" of at most {}", info.max);
  return {};
}

[[noreturn]] void fail_setting(const Setting& setting, const std::string& message) {
  throw Error(message, setting.origin == SettingOrigin::kSavedFile ? ExitCode::kFailure : ExitCode::kUsage);
}

/// "--n_layer = 'x'" or "'n_layer' = 'x' in train.yaml, line 3".
std::string describe(const Setting& setting) {
  const bool in_file =
      setting.origin == SettingOrigin::kConfigFile || setting.origin == SettingOrigin::kSavedFile;
  return vkgpt::format("{} = '{}'{}", in_file ? setting.key : setting.where, printable(setting.text),
                       in_file ? " in " + setting.where : "");
}

[[noreturn]] void fail_unknown(const FieldSet& fields, const Setting& setting) {
  const std::string nearest = nearest_word(setting.key, fields.names(setting.origin));
  const std::string hint =
      nearest.empty() ? "" : vkgpt::format(": did you mean {}?", spell_key(setting.origin, nearest));
  switch (setting.origin) {
    case SettingOrigin::kFlag:
      fail_setting(setting, vkgpt::format("unknown flag {}{}", printable(setting.where), hint));
    case SettingOrigin::kEnvironment:
      fail_setting(setting, vkgpt::format("unknown variable {}{}", printable(setting.where), hint));
    case SettingOrigin::kConfigFile:
    case SettingOrigin::kSavedFile:
      break;
  }
  fail_setting(setting,
               vkgpt::format("unknown key '{}' in {}{}", printable(setting.key), setting.where, hint));
}

}  // namespace

bool parse_bool(std::string_view text, bool& value) {
  constexpr std::array<std::string_view, 4> kTrue = {"true", "yes", "on", "1"};
  constexpr std::array<std::string_view, 4> kFalse = {"false", "no", "off", "0"};
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  value = std::ranges::find(kTrue, lower) != kTrue.end();
  return value || std::ranges::find(kFalse, lower) != kFalse.end();
}

std::string spell_key(SettingOrigin origin, std::string_view key) {
  if (origin == SettingOrigin::kFlag) return vkgpt::format("--{}", key);
  if (origin != SettingOrigin::kEnvironment) return vkgpt::format("'{}'", key);
  std::string name = "VKGPT_";
  for (const char c : key) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name;
}

std::string Field::text() const {
  return std::visit([](const auto* member) { return vkgpt::format("{}", *member); }, value);
}

std::string Field::allowed() const {
  struct Visitor {
    const FieldInfo& info;
    std::string operator()(const bool*) const { return "true or false"; }
    std::string operator()(const std::int64_t*) const {
      const std::string zero = info.zero_name.empty() ? "" : vkgpt::format(", or {}", info.zero_name);
      return "an integer" + range_text(info) + zero;
    }
    std::string operator()(const std::uint64_t*) const {
      return "an integer" + (std::isfinite(info.max) ? range_text(info) : " from 0 to 18446744073709551615");
    }
    std::string operator()(const double*) const { return "a number" + range_text(info); }
    std::string operator()(const std::string*) const {
      return info.choices.empty() ? "text in UTF-8" : vkgpt::format("one of {}", info.choices);
    }
  };
  return std::visit(Visitor{info}, value);
}

const Field* FieldSet::find(std::string_view name) const {
  const auto found = std::ranges::find(fields_, name, [](const Field& field) { return field.info.name; });
  return found == fields_.end() ? nullptr : &*found;
}

bool FieldSet::was_set(std::string_view name) const {
  const Field* const field = find(name);
  VKGPT_CHECK(field != nullptr, "no field '{}'", name);
  return !field->where.empty();
}

std::vector<std::string> FieldSet::names(SettingOrigin origin) const {
  const bool in_file = origin == SettingOrigin::kConfigFile || origin == SettingOrigin::kSavedFile;
  std::vector<std::string> names;
  for (const Field& field : fields_) {
    if (in_file || !field.info.file_only) names.emplace_back(field.info.name);
  }
  return names;
}

void FieldSet::add_field(const FieldInfo& info, FieldRef value) {
  VKGPT_CHECK(find(info.name) == nullptr, "two fields are named '{}'", info.name);
  Field field{.info = info, .value = value, .default_text = {}, .where = {}};
  field.default_text = field.text();
  fields_.push_back(std::move(field));
}

void FieldSet::set(const Setting& setting) {
  const bool in_file =
      setting.origin == SettingOrigin::kConfigFile || setting.origin == SettingOrigin::kSavedFile;
  const auto found =
      std::ranges::find(fields_, setting.key, [](const Field& field) { return field.info.name; });
  if (found == fields_.end() || (found->info.file_only && !in_file)) fail_unknown(*this, setting);
  const bool stored = std::visit(
      [&](auto* member) {
        std::remove_pointer_t<decltype(member)> parsed{};
        const bool is_zero = !found->info.zero_name.empty() && setting.text == found->info.zero_name;
        if (!parse_value(is_zero ? "0" : setting.text, parsed) || !is_allowed(found->info, parsed))
          return false;
        *member = std::move(parsed);
        return true;
      },
      found->value);
  if (!stored) fail_setting(setting, vkgpt::format("{}: expected {}", describe(setting), found->allowed()));
  found->where = setting.where;
}

}  // namespace vkgpt
