#include "vkgpt/core/json.hpp"

#include <cstddef>
#include <utility>
#include <vector>

#include "vkgpt/core/lfs_pointer.hpp"

namespace vkgpt {

namespace {

/// Builds a document in time linear in its length: the library's parser with a callback walks all members of
/// a list after each.
class DocumentBuilder final : public nlohmann::json_sax<Json> {
 public:
  DocumentBuilder(std::string_view where, int max_depth)
      : where_(where), max_depth_(static_cast<std::size_t>(max_depth)) {}

  Json take() { return std::move(document_); }

  bool null() override { return put(nullptr) != nullptr; }
  bool boolean(bool value) override { return put(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return put(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return put(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override { return put(value) != nullptr; }
  bool string(string_t& value) override { return put(std::move(value)) != nullptr; }
  bool binary(binary_t& value) override { return put(Json::binary(std::move(value))) != nullptr; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    if (members.contains(name)) fail("{}: key {} appears twice", where_, json_quoted(name));
    member_ = &members[std::move(name)];
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    constexpr int kOutOfRange = 406;
    if (error.id == kOutOfRange) fail("{}: invalid JSON: a number is out of range", where_);
    fail("{}: invalid JSON at byte {}; the file may be truncated or damaged", where_, position);
  }

 private:
  /// Where the value lies now.
  Json* put(Json value) {
    Json* place = open_.empty() ? &document_ : member_;
    if (!open_.empty() && open_.back()->is_array()) {
      place = &open_.back()->get_ref<Json::array_t&>().emplace_back();
    }
    *place = std::move(value);
    return place;
  }
  bool open(Json value) {
    // The parser itself is not recursive, but whoever walks or destroys a deep document may be.
    if (open_.size() >= max_depth_) fail("{}: JSON nested deeper than {} levels", where_, max_depth_);
    open_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view where_;
  std::size_t max_depth_;
  Json document_;
  std::vector<Json*> open_;  // objects and lists around the value that comes next
  Json* member_ = nullptr;   // of the object whose key was read
};

}  // namespace

Json parse_json(std::string_view text, std::string_view where, int max_depth) {
  DocumentBuilder builder(where, max_depth);
  Json::sax_parse(text, &builder);
  return builder.take();
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
