#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::model {

/// The members of somebody's config.json. What is absent or null has a default, or is missing.
class Members {
 public:
  Members(const Json& json, const std::string& where) : json_(json), where_(where) {}

  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  /// Whether it is there, be it null.
  bool is_there(const char* key) const { return json_.contains(key); }
  const Json& at(const char* key) const { return json_[key]; }
  std::int64_t size(const char* key) const {
    constexpr std::uint64_t kMaxSize = 1 << 24;
    return static_cast<std::int64_t>(json_unsigned(json_, key, where_, kMaxSize));
  }
  std::int64_t size(const char* key, std::int64_t otherwise) const {
    return has(key) ? size(key) : otherwise;
  }
  double number(const char* key) const { return json_number(json_, key, where_); }
  double number(const char* key, double otherwise) const { return has(key) ? number(key) : otherwise; }
  bool flag(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!json_[key].is_boolean()) fail("{}: {} is not true or false", where_, key);
    return json_[key].get<bool>();
  }
  std::string word(const char* key, const char* otherwise) const {
    return has(key) ? json_string(json_, key, where_) : otherwise;
  }
  const std::string& where() const { return where_; }

  /// Refuses a model that computes something else than this version does.
  void must_be(const char* key, bool expected) const {
    if (flag(key, expected) != expected) fail("{}: {} is not supported", where_, key);
  }

 private:
  const Json& json_;
  const std::string& where_;
};

}  // namespace vkgpt::model
