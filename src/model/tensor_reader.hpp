#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/model/weight_files.hpp"

namespace vkgpt::model {

/// Reads the tensors of one set of files, each of which must have a use.
class TensorReader {
 public:
  TensorReader(const Path& directory, const char* name);

  /// That a tensor is there in this shape; a base model's file has no "transformer." or "model." in its
  /// names.
  void expect(const std::string& name, const Shape& shape);

  /// Whether `expect` would find a tensor of this name.
  bool has_any_form(const std::string& name) const {
    return has(name) || has(name.substr(name.find('.') + 1));
  }
  bool has(const std::string& name) const { return files_.find(name).entry != nullptr; }

  /// The values of a tensor that was expected; they stay until the next one's.
  std::span<const float> read(const std::string& name);
  /// Some of them.
  void read(const std::string& name, std::int64_t first, std::span<float> values) const;

  void check_all_used() const;
  std::string where() const { return files_.path().string(); }

 private:
  WeightFiles files_;
  std::map<std::string, WeightFiles::Tensor> found_;
  std::set<std::string> unused_;
  std::vector<float> values_;
};

}  // namespace vkgpt::model
