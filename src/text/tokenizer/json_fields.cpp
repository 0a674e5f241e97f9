#include "text/tokenizer/json_fields.hpp"

#include "vkgpt/core/error.hpp"

namespace vkgpt::text {

const Json* optional_member(const Json& object, std::string_view key, const std::string& where) {
  if (!object.is_object()) fail("{}: expected a JSON object with {}", where, json_quoted(key));
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string type_of(const Json& step, const std::string& where) {
  return json_string(step, "type", where);
}

bool flag_member(const Json& object, std::string_view key, bool default_value, const std::string& where) {
  const Json* value = optional_member(object, key, where);
  if (value == nullptr) return default_value;
  if (!value->is_boolean()) fail("{}: {} must be true or false", where, json_quoted(key));
  return value->get<bool>();
}

const Json& list_member(const Json& object, std::string_view key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_array()) fail("{}: {} must be a list", where, json_quoted(key));
  return value;
}

}  // namespace vkgpt::text
