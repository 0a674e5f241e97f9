#pragma once

#include <string>

namespace vkgpt::cli {

/// Shows `text` by the program that $PAGER names, else by `less -R`; on standard output where there is none.
void show_in_pager(const std::string& text);

}  // namespace vkgpt::cli
