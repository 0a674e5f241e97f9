#include "cli/device/system_report.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/units.hpp"

namespace vkgpt::cli {
namespace {

namespace fs = std::filesystem;

/// The value of the first line of a file that begins with `key`, without quotes and what stands before it.
std::string value_in(const char* path, std::string_view key, char separator) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::size_t at = line.find(separator);
    if (!line.starts_with(key) || at == std::string::npos) continue;
    std::string value = line.substr(at + 1);
    std::erase(value, '"');
    value.erase(0, value.find_first_not_of(" \t"));
    return value;
  }
  return "unknown";
}

std::uint64_t memory_bytes(std::string_view key) {
  const std::string text = value_in("/proc/meminfo", key, ':');
  return std::strtoull(text.c_str(), nullptr, 10) * 1024;
}

std::string c_library() {
#ifdef __GLIBC__
  return vkgpt::format("glibc {}", gnu_get_libc_version());
#else
  return "not glibc";
#endif
}

struct Limit {
  decltype(RLIMIT_AS) resource;
  std::string_view name;
  bool in_bytes;
};
constexpr std::array kLimits = {
    Limit{RLIMIT_AS, "address space", true},   Limit{RLIMIT_DATA, "data", true},
    Limit{RLIMIT_FSIZE, "file size", true},    Limit{RLIMIT_STACK, "stack", true},
    Limit{RLIMIT_NOFILE, "open files", false}, Limit{RLIMIT_CPU, "seconds of processor time", false}};

void add_limits(SystemReport& report) {
  std::string text;
  for (const Limit& limit : kLimits) {
    struct rlimit found{};
    if (::getrlimit(limit.resource, &found) != 0 || found.rlim_cur == RLIM_INFINITY) continue;
    text += vkgpt::format("{}{} {}", text.empty() ? "" : ", ", limit.name,
                          limit.in_bytes ? format_bytes(found.rlim_cur) : std::to_string(found.rlim_cur));
    const bool hurts = limit.resource == RLIMIT_AS || limit.resource == RLIMIT_DATA ||
                       limit.resource == RLIMIT_FSIZE || limit.resource == RLIMIT_CPU;
    if (hurts)
      report.advice.push_back(vkgpt::format("ulimit: {} is limited; training may end there", limit.name));
  }
  report.lines.push_back({"limits", text.empty() ? "none" : text});
}

/// Names only: values may be paths.
void add_variables(SystemReport& report) {
  constexpr auto kPrefixes =
      std::to_array<std::string_view>({"VKGPT_", "VK_", "MESA_", "LP_", "RADV_", "ANV_", "NVK_", "GALLIUM_",
                                       "DISABLE_LAYER", "ENABLE_LAYER"});
  std::vector<std::string> names;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); })) {
      names.emplace_back(name);
    }
  }
  std::ranges::sort(names);
  std::string list;
  for (const std::string& name : names) list += vkgpt::format("{}{}", list.empty() ? "" : ", ", name);
  report.lines.push_back({"variables set", list.empty() ? "none that matter" : list});
}

}  // namespace

SystemReport describe_system() {
  SystemReport report;
  report.lines.push_back({"vkgpt", vkgpt::format("{}, built by g++ {}", VKGPT_VERSION, __VERSION__)});
  struct utsname name{};
  ::uname(&name);
  report.lines.push_back(
      {"system", vkgpt::format("{}; {} {} {}, {}", value_in("/etc/os-release", "PRETTY_NAME", '='),
                               name.sysname, name.release, name.machine, c_library())});
  report.lines.push_back(
      {"processor", vkgpt::format("{}, {} threads", value_in("/proc/cpuinfo", "model name", ':'),
                                  std::thread::hardware_concurrency())});
  const std::uint64_t available = memory_bytes("MemAvailable");
  report.lines.push_back({"memory", vkgpt::format("{}, {} available", format_bytes(memory_bytes("MemTotal")),
                                                  format_bytes(available))});
  if (available < std::uint64_t{1} << 30) report.advice.emplace_back("memory: less than 1 GiB is available");
  add_limits(report);
  add_variables(report);
  return report;
}

SystemReport describe_cache(const fs::path& directory) {
  SystemReport report;
  std::error_code error;
  if (directory.empty()) {
    report.lines.push_back({"cache", "none: neither HOME nor XDG_CACHE_HOME is a directory"});
    report.advice.emplace_back("cache: set XDG_CACHE_HOME, or every start compiles all kernels");
    return report;
  }
  std::uint64_t bytes = 0;
  std::size_t files = 0;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    ++files;
    bytes += it->file_size(ignored);
  }
  std::string shown = directory.string();
  const char* const home = std::getenv("HOME");
  const bool in_home = home != nullptr && *home != '\0' && shown.starts_with(std::string(home) + "/");
  shown = in_home ? "~" + shown.substr(std::string_view(home).size()) : "outside the home directory";
  fs::path nearest = directory;
  while (!nearest.empty() && !fs::exists(nearest, error)) nearest = nearest.parent_path();
  const bool writable = ::access(nearest.empty() ? "." : nearest.c_str(), W_OK) == 0;
  report.lines.push_back({"cache", vkgpt::format("{}: {} files, {}{}", shown, files, format_bytes(bytes),
                                                 writable ? "" : ", not writable")});
  if (!writable)
    report.advice.emplace_back("cache: the folder cannot be written, every start compiles all kernels");
  return report;
}

}  // namespace vkgpt::cli
