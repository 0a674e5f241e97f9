#pragma once

#include <memory>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/param_source.hpp"

namespace vkgpt::model {

/// The parameters of a GGUF file, read when asked for; the same as those of `read_gguf_model`.
std::unique_ptr<ParamSource> open_gguf_params(const Path& path);

}  // namespace vkgpt::model
