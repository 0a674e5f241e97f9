#include "vkgpt/model/adapter_files.hpp"

#include "vkgpt/model/gguf_adapter.hpp"
#include "vkgpt/model/gguf_import.hpp"

namespace vkgpt::model {

Adapter open_adapter(const Path& path, const GptParams& params) {
  return is_gguf(path) ? read_gguf_adapter(path, params) : read_adapter(path, params);
}

}  // namespace vkgpt::model
