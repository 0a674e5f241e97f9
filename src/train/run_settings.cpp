#include "vkgpt/train/run_settings.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::train {

std::vector<Setting> saved_settings(const Path& run_directory) {
  const Path file = run_directory / kEffectiveConfig;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  std::vector<Setting> saved =
      read_flat_json(read_file(file, kMaxBytes), SettingOrigin::kSavedFile, printable(file.string(), 200));
  std::erase_if(saved, [](const Setting& setting) {
    constexpr std::array kOfOneStart = {"resume",           "out_dir",   "json",           "generate_only",
                                        "allow_other_data", "dashboard", "dashboard_port", "devices",
                                        "nproc_per_node",   "ddp",       "max_restarts"};
    return std::ranges::contains(kOfOneStart, setting.key);
  });
  return saved;
}

std::vector<SettingChange> apply_settings(FieldSet& fields, std::span<const Setting> saved,
                                          std::span<const Setting> given) {
  std::vector<std::string> before;
  for (const Setting& setting : saved) {
    fields.set(setting);
    before.push_back(fields.find(setting.key)->text());
  }
  for (const Setting& setting : given) fields.set(setting);
  std::vector<SettingChange> changes;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    std::string after = fields.find(saved[i].key)->text();
    if (after != before[i]) changes.push_back({saved[i].key, std::move(before[i]), std::move(after)});
  }
  return changes;
}

}  // namespace vkgpt::train
