#include "vkgpt/core/check.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/train/checkpoint_manifest.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

namespace {

/// The input with a checksum that holds, where it is JSON: else nearly every input would end at that.
std::string signed_again(std::string_view input) {
  const Json json = parse_json(input, "input");
  if (!json.is_object() || !json.contains("checkpoint")) return std::string(input);
  const Json& body = json["checkpoint"];
  const std::string sum = sha256(body.dump(-1, ' ', false, Json::error_handler_t::replace));
  return Json{{"checkpoint", body}, {"sha256", sum}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

VKGPT_FUZZ_TARGET(manifest) {
  try {
    train::manifest_from_json(input, "input");
  } catch (const Error&) {  // most often the checksum
  }
  const train::CheckpointManifest manifest = train::manifest_from_json(signed_again(input), "input");
  VKGPT_CHECK(train::manifest_from_json(train::manifest_to_json(manifest), "output") == manifest);
}

}  // namespace vkgpt::fuzz
