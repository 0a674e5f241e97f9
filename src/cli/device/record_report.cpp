#include "cli/device/record_report.hpp"

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {

void warn_of_failed(const vk::KernelRecord& record, const std::string& device) {
  if (record.failed.empty()) return;
  std::string names;
  for (const auto& [name, failure] : record.failed) {
    names += vkgpt::format("{}{}", names.empty() ? "" : ", ", printable(name));
  }
  const auto& [name, first] = *record.failed.begin();
  log_warning(
      "{} computes wrongly: the self-test of {} failed in {} ({}), which nothing can replace; see 'vkgpt "
      "doctor'",
      device, first.date, names, printable(first.reason, 200));
}

std::string record_text(const vk::KernelRecord& record) {
  std::string text = record.tested.empty() ? "never tested" : vkgpt::format("tested on {}", record.tested);
  if (record.unfinished) {
    text += vkgpt::format(", a self-test of {} did not end ({})", record.unfinished->date,
                          record.unfinished->reason);
  }
  for (const auto& [name, failure] : record.failed)
    text += vkgpt::format(", {} fails since {} ({})", name, failure.date, failure.reason);
  for (const auto* failures : {&record.disabled, &record.wrong}) {
    for (const auto& [name, failure] : *failures)
      text += vkgpt::format(", {} off since {} ({})", name, failure.date, failure.reason);
  }
  if (!record.measured.empty()) text += vkgpt::format(", {} choices tuned", record.measured.size());
  return text;
}

std::vector<std::string> record_advice(const vk::KernelRecord& record, const std::string& device) {
  std::vector<std::string> advice;
  if (record.tested.empty()) {
    advice.push_back(vkgpt::format("{}: its kernels were never tested: run 'vkgpt selftest --device \"{}\"'",
                                   device, device));
  }
  for (const auto& [name, failure] : record.failed) {
    advice.push_back(
        vkgpt::format("{}: {} fails ({}) and nothing can replace it: do not train on this device before "
                      "another driver passes "
                      "'vkgpt selftest'",
                      device, name, failure.reason));
  }
  for (const auto* failures : {&record.disabled, &record.wrong}) {
    for (const auto& [name, failure] : *failures) {
      advice.push_back(
          vkgpt::format("{}: {} is off ({}): a newer driver may help", device, name, failure.reason));
    }
  }
  return advice;
}

}  // namespace vkgpt::cli
