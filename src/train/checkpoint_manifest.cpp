#include "vkgpt/train/checkpoint_manifest.hpp"

#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::train {
namespace {

constexpr std::string_view kFormat = "vkgpt checkpoint";
constexpr std::uint64_t kManifestVersion = 1;

Json body_json(const CheckpointManifest& manifest) {
  Json files = Json::object();
  for (const auto& [name, file] : manifest.files)
    files[name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  return {{"format", kFormat},
          {"version", kManifestVersion},
          {"step", manifest.step},
          {"val_loss", manifest.val_loss ? Json(*manifest.val_loss) : Json()},
          {"files", std::move(files)}};
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

bool is_checkpoint_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != kManifestName && name[0] != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

std::string manifest_to_json(const CheckpointManifest& manifest) {
  const Json body = body_json(manifest);
  return Json{{"checkpoint", body}, {"sha256", sha256(body.dump())}}.dump(1) + "\n";
}

CheckpointManifest manifest_from_json(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where);
  const Json& body = json_member(json, "checkpoint", where);
  // Members are sorted and numbers print as they were parsed, so that equal contents give equal text, here
  // too.
  const auto dump = [](const Json& value, int indent) {
    return value.dump(indent, ' ', false, Json::error_handler_t::replace);
  };
  if (json_string(json, "sha256", where) != sha256(dump(body, -1)) || dump(json, 1) + "\n" != text) {
    fail("{}: it does not match its own checksum; the checkpoint is damaged", where);
  }
  if (json_string(body, "format", where) != kFormat) fail("{}: not the manifest of a checkpoint", where);
  if (const std::uint64_t version = json_unsigned(body, "version", where); version != kManifestVersion) {
    fail("{}: its version {} is not {}; use the vkgpt that wrote it", where, version, kManifestVersion);
  }
  CheckpointManifest manifest{.step = json_unsigned(body, "step", where), .val_loss = {}, .files = {}};
  if (!json_member(body, "val_loss", where).is_null())
    manifest.val_loss = json_number(body, "val_loss", where);
  const Json& files = json_member(body, "files", where);
  if (!files.is_object()) fail("{}: \"files\" must be an object", where);
  for (const auto& [name, entry] : files.items()) {
    if (!is_checkpoint_file_name(name)) fail("{}: {} is no name for a file", where, json_quoted(name));
    CheckpointManifest::File file{.bytes = json_unsigned(entry, "bytes", where),
                                  .sha256 = json_string(entry, "sha256", where)};
    if (!is_digest(file.sha256)) fail("{}: the checksum of {} is malformed", where, json_quoted(name));
    manifest.files.emplace(name, std::move(file));
  }
  return manifest;
}

CheckpointManifest verify_checkpoint(const Path& directory, CheckpointCheck check) {
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  const Path path = directory / kManifestName;
  CheckpointManifest manifest = manifest_from_json(read_file(path, kMaxBytes), path.string());
  // All sizes first: they are cheap, and a truncated file is the likeliest damage.
  for (const auto& [name, expected] : manifest.files) {
    const InputFile file(directory / name);
    if (file.size() != expected.bytes) {
      fail("{}: it has {} bytes, the manifest says {}; the checkpoint is damaged", file.path().string(),
           file.size(), expected.bytes);
    }
  }
  if (check == CheckpointCheck::kSizes) return manifest;
  for (const auto& [name, expected] : manifest.files) {
    if (sha256_file(directory / name) != expected.sha256) {
      fail("{}: it does not match its checksum; the checkpoint is damaged", (directory / name).string());
    }
  }
  return manifest;
}

}  // namespace vkgpt::train
