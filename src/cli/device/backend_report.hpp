#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/vk/target.hpp"

namespace vkgpt::cli {

/// Refuses a forced backend that the device cannot run for any type of elements (a usage error), and notes
/// in the log what a self-test has switched off but would have been taken.
void check_backends(const vk::Target& target);

/// "f32 simt, scalar; f16 khr, simt, scalar; bf16 simt, scalar (or nv)": by type, the order in which backends
/// of `op` are tried, and which others could be forced. What a self-test has switched off is named at the
/// end.
std::string backends_text(const vk::Target& target, std::string_view op);

/// {"matmul": {"f32": {"order": [...], "usable": [...]}, ...}, ..., "disabled": [...]}.
nlohmann::ordered_json backends_json(const vk::Target& target);

}  // namespace vkgpt::cli
