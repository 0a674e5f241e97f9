#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/shape.hpp"
#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::model {

/// The weights of a model directory: one safetensors file, or the shards that its index (`NAME.index.json`)
/// names.
class WeightFiles {
 public:
  /// Opens DIRECTORY/NAME, or its shards where there is only an index. Throws `Error`, one line that names
  /// the file, also where an index leads out of the directory, names what its shards lack, or leaves a tensor
  /// of theirs out.
  WeightFiles(const Path& directory, std::string_view name);

  /// A tensor by its name, read as fp32.
  struct Tensor {
    const SafetensorsFile* file = nullptr;
    const SafetensorsEntry* entry = nullptr;
  };
  /// Null members where there is no such tensor.
  Tensor find(std::string_view name) const;
  /// Throws `Error` when there is no such tensor or its shape is not `shape`.
  Tensor expect(std::string_view name, const Shape& shape) const;

  /// The name of every tensor, without what wrappers put into it (torch.compile's "_orig_mod.",
  /// DistributedDataParallel's "module.", FSDP's "_fsdp_wrapped_module.") or stands before all of them.
  std::vector<std::string_view> names() const;
  /// The types that the tensors have, in the format's words: "BF16", or "F16, F32".
  std::string dtypes() const;
  /// The file or the index, for messages.
  const Path& path() const { return path_; }

 private:
  void open_index();
  void drop_wrappers();
  /// Gives every tensor the name that `to` makes of its name. Throws `Error` where two would have the same.
  void rename(const std::function<std::string(std::string_view)>& to);

  Path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t, std::less<>> shard_of_;     // by tensor name
  std::map<std::string, std::string, std::less<>> stored_name_;  // where it is not the tensor's
};

}  // namespace vkgpt::model
