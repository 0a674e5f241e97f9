#pragma once

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/adapter.hpp"

namespace vkgpt::model {

/// The adapters of a directory (`read_adapter`) or of a GGUF file (`read_gguf_adapter`).
Adapter open_adapter(const Path& path, const GptParams& params);

}  // namespace vkgpt::model
