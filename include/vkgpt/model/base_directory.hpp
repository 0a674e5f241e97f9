#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/param_source.hpp"

// Adapters whose base, the model that they belong to, lies in another directory.

namespace vkgpt::model {

/// `adapter_config_json` that names the base.
std::string adapter_config_json(const GptParams& params, TensorLayout layout, const std::string& base);

/// The base that a directory's adapters name, where it is there and none of their own. Of a run directory,
/// which older versions named, it is the best checkpoint of today, else the newest.
std::optional<Path> find_base_path(const Path& directory);

/// The same. Throws `Error` where it is not there.
Path read_base_path(const Path& directory);

/// The same; the directory itself where it holds a model too.
Path base_of_adapters(const Path& directory);

/// The parameters of a model without the adapters that may lie beside it.
std::unique_ptr<ParamSource> open_base_params(const Path& path);

/// Reads the adapters of a checkpoint into the arena of `params`, or its trainable part.
void read_adapter_parameters(const Path& directory, const GptParams& params, std::span<float> arena);

}  // namespace vkgpt::model
