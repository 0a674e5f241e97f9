#include "model/model_files.hpp"

#include <algorithm>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::model {
namespace {

/// Tied weights that a file holds once may stand under the head's name: safetensors' save_model keeps that.
bool name_tied_head(const TensorReader& reader, const GptParams& params, std::vector<FileTensor>& tensors) {
  const ParamSpec& wte = params.find("wte.weight");
  const auto embedding = std::ranges::find(tensors, &wte, &FileTensor::spec);
  if (!params.config().tie_weights || embedding == tensors.end()) return false;
  if (reader.has_any_form(embedding->name) || !reader.has("lm_head.weight")) return false;
  embedding->name = "lm_head.weight";
  return true;
}

/// Rows [first, first + count) of a tensor that files hold transposed.
void read_transposed(const TensorReader& reader, const FileTensor& tensor, std::int64_t first,
                     std::int64_t count, std::span<float> out) {
  const std::int64_t width = tensor.shape[0], rows = tensor.shape[1];
  std::vector<float> stored(static_cast<std::size_t>(tensor.shape.numel()));
  reader.read(tensor.name, 0, stored);
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      out[static_cast<std::size_t>(row * width + column)] =
          stored[static_cast<std::size_t>(column * rows + first + row)];
    }
  }
}

}  // namespace

/// The biases of GPT2LMHeadModel that a GPT-2 without biases lacks: its files have zeros for them.
std::vector<SafetensorsTensor> zero_biases(const GptConfig& config) {
  std::vector<SafetensorsTensor> zeros;
  if (config.bias || hf_model_type(config) != "gpt2") return zeros;
  GptConfig biased = config;
  biased.bias = true;
  const GptParams params(biased);
  for (const FileTensor& tensor : file_tensors(params, TensorLayout::kGpt2)) {
    if (tensor.name.ends_with(".bias")) zeros.push_back({tensor.name, DType::kF32, tensor.shape});
  }
  return zeros;
}

ModelFiles::ModelFiles(const Path& directory, const char* name, const ModelFormat& format)
    : params_(format.config), reader_(directory, name), tensors_(file_tensors(params_, format.layout)) {
  std::erase_if(tensors_, [&](const FileTensor& tensor) {
    return std::ranges::any_of(format.zero_endings, [&](auto end) { return tensor.name.ends_with(end); });
  });
  const bool only_head = name_tied_head(reader_, params_, tensors_);
  for (const FileTensor& tensor : tensors_) reader_.expect(tensor.name, tensor.shape);
  const bool repeats_head = !only_head && params_.config().tie_weights && reader_.has("lm_head.weight");
  if (repeats_head) reader_.expect("lm_head.weight", params_.find("wte.weight").unpadded_shape);
  std::vector<SafetensorsTensor> zeros = zero_biases(params_.config());
  std::erase_if(zeros, [&](const SafetensorsTensor& zero) { return !reader_.has(zero.name); });
  for (const SafetensorsTensor& zero : zeros) reader_.expect(zero.name, zero.shape);
  reader_.check_all_used();
  check_zeros(zeros);
  if (repeats_head) check_head();
}

void ModelFiles::check_zeros(const std::vector<SafetensorsTensor>& zeros) {
  for (const SafetensorsTensor& zero : zeros) {
    if (std::ranges::any_of(reader_.read(zero.name), [](float value) { return value != 0; })) {
      fail("{}: {} is not zero, but by its configuration the model has no biases", reader_.where(),
           json_quoted(zero.name));
    }
  }
}

/// That a classifier stored beside the token table is the same.
void ModelFiles::check_head() {
  const ParamSpec& wte = params_.find("wte.weight");
  const std::int64_t stored = wte.unpadded_shape.numel();
  std::vector<float> head;
  for_rows(*this, wte, [&](std::int64_t first, std::span<const float> values) {
    if (first >= stored) return;
    head.resize(static_cast<std::size_t>(std::min(std::ssize(values), stored - first)));
    reader_.read("lm_head.weight", first, head);
    if (std::ranges::equal(head, values.first(head.size()))) return;
    fail("{}: lm_head.weight is not the token embedding, but tie_word_embeddings is true", reader_.where());
  });
}

void ModelFiles::read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
                      std::span<float> values) const {
  const std::int64_t width = row_width(spec);
  VKGPT_CHECK(std::ssize(values) == count * width, "{} rows of {}", count, spec.name);
  std::ranges::fill(values, 0.0F);
  for (const FileTensor& tensor : tensors_) {
    if (tensor.spec->name != spec.name) continue;
    const std::int64_t rows = tensor.transposed ? tensor.shape[1] : tensor.shape[0];
    const std::int64_t begin = std::max(first, tensor.first_row);
    const std::int64_t end = std::min(first + count, tensor.first_row + rows);
    if (begin >= end) continue;
    const std::span<float> part = values.subspan(static_cast<std::size_t>((begin - first) * width),
                                                 static_cast<std::size_t>((end - begin) * width));
    if (tensor.transposed) {
      read_transposed(reader_, tensor, begin - tensor.first_row, end - begin, part);
    } else {
      reader_.read(tensor.name, (begin - tensor.first_row) * width, part);
    }
  }
}

}  // namespace vkgpt::model
