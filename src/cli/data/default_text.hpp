#pragma once

#include <string>

namespace vkgpt::cli {

/// The text to train on where none is named: tiny shakespeare as 'data get' fetched it, else the Jargon File
/// as the quickstart or Debian's package of it has it, else tiny shakespeare, fetched now. Throws `Error`
/// where that cannot be had.
std::string default_text();

}  // namespace vkgpt::cli
