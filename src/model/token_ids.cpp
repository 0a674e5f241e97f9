#include "vkgpt/model/token_ids.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::model {
namespace {

std::int32_t token_of(const Json& id, const char* key, const std::string& where) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 31U;
  if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kLimit) {
    fail("{}: {} holds {}, which is no number of a token", where, key, json_quoted(id.dump()));
  }
  return id.get<std::int32_t>();
}

void add_ids(const Json& json, const std::string& where, TokenIds& ids) {
  if (!json.is_object()) fail("{}: expected a JSON object", where);
  const auto each = [&](const char* key, const auto& use) {
    const auto member = json.find(key);
    if (member == json.end() || member->is_null()) return;
    // transformers 4 wrote -1 for "none".
    if (member->is_number_integer() && !member->is_number_unsigned()) return;
    if (!member->is_array()) return use(token_of(*member, key, where));
    for (const Json& id : *member) use(token_of(id, key, where));
  };
  each("bos_token_id", [&](std::int32_t id) { ids.begin = ids.begin.value_or(id); });
  each("pad_token_id", [&](std::int32_t id) { ids.pad = ids.pad.value_or(id); });
  each("eos_token_id", [&](std::int32_t id) {
    if (!std::ranges::contains(ids.ends, id)) ids.ends.push_back(id);
  });
}

}  // namespace

TokenIds read_token_ids(const Path& directory) {
  TokenIds ids;
  for (const char* name : {kModelConfigFile, kGenerationConfigFile}) {
    const Path path = directory / name;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) add_ids(read_json_file(path), path.string(), ids);
  }
  return ids;
}

}  // namespace vkgpt::model
