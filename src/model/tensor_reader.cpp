#include "model/tensor_reader.hpp"

#include <algorithm>
#include <array>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::model {
namespace {

/// Buffers that older versions of transformers saved: masks and rotary frequencies.
bool is_buffer(std::string_view name) {
  constexpr std::array kEndings = {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"};
  return std::ranges::any_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
}

}  // namespace

TensorReader::TensorReader(const Path& directory, const char* name) : files_(directory, name) {
  for (const std::string_view tensor : files_.names()) {
    if (!is_buffer(tensor)) unused_.emplace(tensor);
  }
}

void TensorReader::expect(const std::string& name, const Shape& shape) {
  const std::size_t dot = name.find('.');
  std::string found = name;
  if (files_.find(name).entry == nullptr && files_.find(name.substr(dot + 1)).entry != nullptr) {
    found = name.substr(dot + 1);
  }
  found_[name] = files_.expect(found, shape);
  unused_.erase(found);
}

std::span<const float> TensorReader::read(const std::string& name) {
  values_.resize(static_cast<std::size_t>(found_.at(name).entry->shape.numel()));
  read(name, 0, values_);
  return values_;
}

void TensorReader::read(const std::string& name, std::int64_t first, std::span<float> values) const {
  const WeightFiles::Tensor& tensor = found_.at(name);
  SafetensorsEntry part = *tensor.entry;
  const std::uint64_t width = part.size_bytes() / static_cast<std::uint64_t>(part.shape.numel());
  part.begin += static_cast<std::uint64_t>(first) * width;
  part.end = part.begin + values.size() * width;
  part.shape = Shape{static_cast<std::int64_t>(values.size())};
  tensor.file->read(part, values);
}

void TensorReader::check_all_used() const {
  if (unused_.empty()) return;
  fail("{}: tensor {} has no place in this model (there are {} such)", where(), json_quoted(*unused_.begin()),
       unused_.size());
}

}  // namespace vkgpt::model
