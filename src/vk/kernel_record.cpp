#include "vkgpt/vk/kernel_record.hpp"

#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "vkgpt/core/directory_lock.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/log.hpp"

#include "vk/shader_source.hpp"

namespace vkgpt::vk {
namespace {

constexpr std::string_view kRecordFormat = "vkgpt kernels 1";
constexpr std::uint64_t kMaxRecordBytes = 4 << 20;

/// Names the kernels and the checks that verdicts are about.
const std::string& program_hash() {
  static const std::string hash = [] {
    Sha256 sha;
    for (const ShaderSource& source : embedded_shaders()) {
      sha.update(vkgpt::format("{} {}\n", source.name, source.text.size()));
      sha.update(source.text);
    }
    sha.update(vkgpt::format("checks {}", kChecksVersion));
    return sha.hex();
  }();
  return hash;
}

const Json& json_object(const Json& record, std::string_view key, std::string_view where) {
  const Json& object = json_member(record, key, where);
  if (!object.is_object()) fail("{}: '{}' is not an object", where, key);
  return object;
}

using Failure = KernelRecord::Failure;
using Failures = std::map<std::string, Failure>;

Failure parse_failure(const Json& failure, std::string_view where) {
  return {json_string(failure, "reason", where), json_string(failure, "date", where)};
}

Failures parse_failures(const Json& record, std::string_view key, std::string_view where) {
  Failures failures;
  for (const auto& [name, failure] : json_object(record, key, where).items()) {
    failures[name] = parse_failure(failure, where);
  }
  return failures;
}

Json failure_json(const Failure& failure) {
  return {{"reason", failure.reason}, {"date", failure.date}};
}

Json failures_json(const Failures& failures) {
  Json json = Json::object();
  for (const auto& [name, failure] : failures) json[name] = failure_json(failure);
  return json;
}

KernelRecord parse(const std::filesystem::path& path, const DeviceCaps& caps) {
  const Json json = read_json_file(path, kMaxRecordBytes);
  const std::string where = path.string();
  if (json_string(json, "format", where) != kRecordFormat) fail("{}: not a record of kernels", where);
  if (json_string(json, "uuid", where) != caps.uuid || json_string(json, "driver", where) != caps.driver) {
    fail("{}: of another device or driver", where);
  }
  KernelRecord record;
  const Json& measured = json_object(json, "measured", where);
  for (const auto& [key, kernel] : measured.items()) record.measured[key] = json_string(measured, key, where);
  const auto program = json.find("program");
  if (program == json.end() || *program != program_hash()) return record;
  record.tested = json_string(json, "tested", where);
  record.disabled = parse_failures(json, "disabled", where);
  record.wrong = parse_failures(json, "wrong", where);
  record.failed = parse_failures(json, "failed", where);
  const Json& unfinished = json_member(json, "unfinished", where);
  if (!unfinished.is_null()) record.unfinished = parse_failure(unfinished, where);
  return record;
}

}  // namespace

void KernelRecord::apply_to(KernelChoices& choices) const {
  for (const auto* failures : {&disabled, &wrong}) {
    for (const auto& [name, failure] : *failures) choices.disabled.insert(name);
  }
  for (const auto& [key, kernel] : measured) choices.measured.emplace(key, kernel);
  if (!tested.empty() && failed.empty()) choices.measured.emplace(kTestedKey, tested);
}

std::filesystem::path kernel_record_path(const std::filesystem::path& cache_dir, const DeviceCaps& caps) {
  // What is fast on a CPU driver depends on its lanes, which a setting changes.
  const std::string lanes = caps.is_cpu() ? vkgpt::format("-{}", caps.subgroup_size) : "";
  return cache_dir / vkgpt::format("kernels-{}-{:08x}{}.json", caps.uuid, caps.driver_version, lanes);
}

KernelRecord read_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps) {
  if (cache_dir.empty()) return {};
  const std::filesystem::path path = kernel_record_path(cache_dir, caps);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  try {
    return parse(path, caps);
  } catch (const std::exception& e) {
    log_warning("{}; it is ignored until 'vkgpt selftest' or 'vkgpt tune' replaces it", e.what());
    return {};
  }
}

KernelRecord first_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, KernelRecord> records;
  const std::scoped_lock lock(mutex);
  const auto [place, is_new] = records.try_emplace(kernel_record_path(cache_dir, caps));
  if (is_new) place->second = read_kernel_record(cache_dir, caps);
  return place->second;
}

void write_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps,
                         const KernelRecord& record) {
  if (cache_dir.empty()) return;
  Json measured = Json::object();
  for (const auto& [key, kernel] : record.measured) measured[key] = kernel;
  const Json json = {{"format", kRecordFormat},
                     {"program", program_hash()},
                     {"device", caps.name},
                     {"uuid", caps.uuid},
                     {"driver", caps.driver},
                     {"tested", record.tested},
                     {"disabled", failures_json(record.disabled)},
                     {"wrong", failures_json(record.wrong)},
                     {"failed", failures_json(record.failed)},
                     {"unfinished", record.unfinished ? failure_json(*record.unfinished) : Json(nullptr)},
                     {"measured", std::move(measured)}};
  make_directories(cache_dir);
  replace_file(kernel_record_path(cache_dir, caps),
               json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

KernelRecord update_kernel_record(const std::filesystem::path& cache_dir, const DeviceCaps& caps,
                                  const std::function<void(KernelRecord&)>& change) {
  if (!cache_dir.empty()) make_directories(cache_dir);
  const std::optional<DirectoryLock> lock =
      cache_dir.empty() ? std::nullopt : std::optional<DirectoryLock>(std::in_place, cache_dir);
  const KernelRecord before = read_kernel_record(cache_dir, caps);
  KernelRecord record = before;
  change(record);
  if (record != before) write_kernel_record(cache_dir, caps, record);
  return record;
}

}  // namespace vkgpt::vk
