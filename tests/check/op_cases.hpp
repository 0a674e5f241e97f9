#pragma once

namespace vkgpt::check {

/// Makes a test "GpuCheck.<op>/<variant>" of every case of the op tables; under GPU-assisted validation, of
/// enough of them to build every kernel, or of all with VKGPT_CASES=all, as tools/races.sh has it.
void register_op_cases();

}  // namespace vkgpt::check
