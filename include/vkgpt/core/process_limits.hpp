#pragma once

#include <cstdint>
#include <optional>

namespace vkgpt {

/// Bytes of address space that this process may have (ulimit -v); nothing where that is not limited.
std::optional<std::uint64_t> address_space_limit();

/// To be called once, before threads start. As many files may be open as the hard limit allows: a data set
/// has thousands. A write beyond the limit of file sizes becomes an error of that write. Where address space
/// or file sizes are limited (ulimit -v, -f), libraries, drivers above all, meet memory that is not there:
/// that crash becomes one line that names the limits, and exit code 1.
void settle_process_limits();

}  // namespace vkgpt
