#pragma once

namespace vkgpt {

/// Whether an environment variable is there and not empty: NO_COLOR (no-color.org), PAGER.
bool is_variable_set(const char* name);

/// Whether the file descriptor is a terminal that knows escape sequences.
bool is_terminal(int fd);

/// Columns of the terminal; 80 where it does not tell.
int terminal_columns(int fd);

}  // namespace vkgpt
