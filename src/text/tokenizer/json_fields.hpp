#pragma once

#include <string>
#include <string_view>

#include "vkgpt/core/json.hpp"

namespace vkgpt::text {

// Members of tokenizer files; each throws `Error` whose line begins with `where`.

/// A member that may be missing or null.
const Json* optional_member(const Json& object, std::string_view key, const std::string& where);

/// The member "type".
std::string type_of(const Json& step, const std::string& where);

bool flag_member(const Json& object, std::string_view key, bool default_value, const std::string& where);

const Json& list_member(const Json& object, std::string_view key, const std::string& where);

}  // namespace vkgpt::text
