#pragma once

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gguf_file.hpp"
#include "vkgpt/model/loaded_model.hpp"

namespace vkgpt::model {

/// Whether `path` names a GGUF file: by its ending or, without that, by its first bytes (files of caches are
/// named by hashes).
bool is_gguf(const Path& path);

/// The architecture that a GGUF file of llama.cpp describes: "gpt2", "llama", "qwen2" or "qwen3". Throws
/// `Error` for another, and for what this version does not compute.
ModelFormat read_gguf_format(const GgufFile& file);

/// Reads a whole model, every number widened to fp32; rows of queries and keys that llama.cpp keeps in pairs
/// become halves again. Throws `Error` for a tensor that is missing, of another shape, or would go unused.
LoadedModel read_gguf_model(const GgufFile& file);

}  // namespace vkgpt::model
