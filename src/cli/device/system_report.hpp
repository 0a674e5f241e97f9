#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vkgpt::cli {

/// A line of a report: its name and what it says.
struct ReportLine {
  std::string name;
  std::string text;
};

/// What a bug report needs to know of program and machine, without what tells whose they are: no names of
/// people or hosts, no paths, of variables only that they are set.
struct SystemReport {
  std::vector<ReportLine> lines;
  std::vector<std::string> advice;  // what is likely to be wrong, and what to do
};

/// Program, system, processor, memory, limits of the process, variables that change what drivers do.
SystemReport describe_system();

/// The folder of compiled kernels: files, size, whether it can be written. The home directory is shown as ~.
SystemReport describe_cache(const std::filesystem::path& directory);

}  // namespace vkgpt::cli
