#include "vkgpt/core/json.hpp"

#include <unordered_set>
#include <vector>

#include "vkgpt/core/lfs_pointer.hpp"

namespace vkgpt {

Json parse_json(std::string_view text, std::string_view where, int max_depth) {
  // The parser itself is not recursive, but whoever walks or destroys a deep document may be.
  std::vector<std::unordered_set<std::string>> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (depth >= max_depth) fail("{}: JSON nested deeper than {} levels", where, max_depth);
    }
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) fail("{}: key {} appears twice", where, json_quoted(key));
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::parse_error& error) {
    fail("{}: invalid JSON at byte {}; the file may be truncated or damaged", where, error.byte);
  } catch (const Json::exception&) {
    fail("{}: invalid JSON: a number is out of range", where);
  }
}

Json read_json_file(const Path& path, std::uint64_t max_bytes) {
  const std::string text = read_file(path, max_bytes);
  refuse_lfs_pointer(path, text);
  return parse_json(text, path.string());
}

std::string json_quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  const bool cut = text.size() > kShown;
  // As JSON, with ASCII only: control characters and anything a terminal might obey become escapes.
  return Json(std::string(text.substr(0, kShown))).dump(-1, ' ', true, Json::error_handler_t::replace) +
         (cut ? "..." : "");
}

std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& json_member(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) fail("{}: expected a JSON object with {}", where, json_quoted(key));
  const auto it = object.find(key);
  if (it == object.end()) fail("{}: {} is missing", where, json_quoted(key));
  return *it;
}

std::uint64_t json_unsigned(const Json& object, std::string_view key, std::string_view where,
                            std::uint64_t max) {
  const Json& value = json_member(object, key, where);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max) {
    fail("{}: {} must be a whole number from 0 to {}", where, json_quoted(key), max);
  }
  return value.get<std::uint64_t>();
}

double json_number(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_number()) fail("{}: {} must be a number", where, json_quoted(key));
  return value.get<double>();
}

std::string json_string(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_string()) fail("{}: {} must be a string", where, json_quoted(key));
  return value.get<std::string>();
}

}  // namespace vkgpt
