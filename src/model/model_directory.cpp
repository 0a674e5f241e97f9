#include "vkgpt/model/model_directory.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/gguf_import.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/model/weight_files.hpp"

namespace vkgpt::model {
namespace {

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

DType stored_dtype(TensorEncoding encoding) {
  VKGPT_CHECK(encoding != TensorEncoding::kQ8_0, "safetensors has no Q8_0");
  if (encoding == TensorEncoding::kF32) return DType::kF32;
  return encoding == TensorEncoding::kF16 ? DType::kF16 : DType::kBF16;
}

void write_tensors(OutputFile& file, const std::vector<FileTensor>& tensors, std::span<const float> arena,
                   TensorEncoding encoding, std::vector<SafetensorsTensor> zeros = {}) {
  std::map<std::string, const FileTensor*> by_name;
  std::vector<SafetensorsTensor> written = std::move(zeros);
  for (const FileTensor& tensor : tensors) {
    by_name[tensor.name] = &tensor;
    written.push_back({tensor.name, DType::kF32, tensor.shape});
  }
  for (SafetensorsTensor& tensor : written) tensor.dtype = stored_dtype(encoding);
  std::vector<float> values;
  write_safetensors(file, std::move(written),
                    [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      values.assign(static_cast<std::size_t>(tensor.shape.numel()), 0.0f);
                      const auto source = by_name.find(tensor.name);
                      if (source != by_name.end()) to_file(*source->second, arena, values);
                      // A run that diverged can still be saved as it is, so that it can be looked at.
                      if (encoding == TensorEncoding::kF32) return sink(std::as_bytes(std::span(values)));
                      encode_tensor(tensor.name, values, encoding, sink);
                    });
}

/// Buffers that older versions of transformers saved: masks and rotary frequencies.
bool is_buffer(std::string_view name) {
  constexpr std::array kEndings = {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"};
  return std::ranges::any_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
}

/// Reads the tensors of one set of files, each of which must have a use.
class TensorReader {
 public:
  TensorReader(const Path& directory, const char* name) : files_(directory, name) {
    for (const std::string_view tensor : files_.names()) {
      if (!is_buffer(tensor)) unused_.emplace(tensor);
    }
  }

  /// That a tensor is there in this shape; a base model's file has no "transformer." or "model." in its
  /// names.
  void expect(const std::string& name, const Shape& shape) {
    const std::size_t dot = name.find('.');
    std::string found = name;
    if (files_.find(name).entry == nullptr && files_.find(name.substr(dot + 1)).entry != nullptr) {
      found = name.substr(dot + 1);
    }
    found_[name] = files_.expect(found, shape);
    unused_.erase(found);
  }

  /// Whether `expect` would find a tensor of this name.
  bool has_any_form(const std::string& name) const {
    return has(name) || has(name.substr(name.find('.') + 1));
  }
  bool has(const std::string& name) const { return files_.find(name).entry != nullptr; }

  /// The values of a tensor that was expected; they stay until the next one's.
  std::span<const float> read(const std::string& name) {
    const WeightFiles::Tensor tensor = found_.at(name);
    values_.resize(static_cast<std::size_t>(tensor.entry->shape.numel()));
    tensor.file->read(*tensor.entry, std::span<float>(values_));
    return values_;
  }

  void check_all_used() const {
    if (unused_.empty()) return;
    fail("{}: tensor {} has no place in this model (there are {} such)", where(),
         json_quoted(*unused_.begin()), unused_.size());
  }

  std::string where() const { return files_.path().string(); }

 private:
  WeightFiles files_;
  std::map<std::string, WeightFiles::Tensor> found_;
  std::set<std::string> unused_;
  std::vector<float> values_;
};

/// Tied weights that a file holds once may stand under the head's name: safetensors' save_model keeps that.
bool name_tied_head(const TensorReader& reader, const GptParams& params, std::vector<FileTensor>& tensors) {
  const ParamSpec& wte = params.find("wte.weight");
  const auto embedding = std::ranges::find(tensors, &wte, &FileTensor::spec);
  if (!params.config().tie_weights || embedding == tensors.end()) return false;
  if (reader.has_any_form(embedding->name) || !reader.has("lm_head.weight")) return false;
  embedding->name = "lm_head.weight";
  return true;
}

void read_model(const Path& directory, const char* name, const GptParams& params, const ModelFormat& format,
                std::vector<float>& arena) {
  TensorReader reader(directory, name);
  std::vector<FileTensor> tensors = file_tensors(params, format.layout);
  std::erase_if(tensors, [&](const FileTensor& tensor) {
    return std::ranges::any_of(format.zero_endings, [&](auto end) { return tensor.name.ends_with(end); });
  });
  const bool only_head = name_tied_head(reader, params, tensors);
  for (const FileTensor& tensor : tensors) reader.expect(tensor.name, tensor.shape);
  const bool repeats_head = !only_head && params.config().tie_weights && reader.has("lm_head.weight");
  if (repeats_head) reader.expect("lm_head.weight", params.find("wte.weight").unpadded_shape);
  std::vector<SafetensorsTensor> zeros = zero_biases(params.config());
  std::erase_if(zeros, [&](const SafetensorsTensor& zero) { return !reader.has(zero.name); });
  for (const SafetensorsTensor& zero : zeros) reader.expect(zero.name, zero.shape);
  reader.check_all_used();

  // Only now, when the file is known to be as large as the model says.
  arena.assign(static_cast<std::size_t>(params.arena_elements()), 0.0f);
  for (const FileTensor& tensor : tensors) from_file(tensor, reader.read(tensor.name), arena);
  for (const SafetensorsTensor& zero : zeros) {
    if (std::ranges::any_of(reader.read(zero.name), [](float value) { return value != 0; })) {
      fail("{}: {} is not zero, but by its configuration the model has no biases", reader.where(),
           json_quoted(zero.name));
    }
  }
  if (repeats_head) {
    const std::span<const float> wte = std::span(arena).subspan(
        static_cast<std::size_t>(params.find("wte.weight").offset), reader.read("lm_head.weight").size());
    if (!std::ranges::equal(reader.read("lm_head.weight"), wte)) {
      fail("{}: lm_head.weight is not the token embedding, but tie_word_embeddings is true", reader.where());
    }
  }
}

void read_adapters(const Path& directory, const GptParams& params, TensorLayout layout,
                   std::vector<float>& arena) {
  TensorReader reader(directory, kAdapterWeightsFile);
  const std::vector<FileTensor> tensors = adapter_tensors(params, layout);
  for (const FileTensor& tensor : tensors) reader.expect(tensor.name, tensor.shape);
  reader.check_all_used();
  std::set<std::pair<const ParamSpec*, std::int64_t>> seen;
  std::vector<float> first;
  for (const FileTensor& tensor : tensors) {
    const std::span<const float> values = reader.read(tensor.name);
    if (!seen.emplace(tensor.spec, tensor.first_row).second) {
      first.resize(values.size());
      to_file(tensor, arena, first);
      if (!std::ranges::equal(first, values)) {
        fail(
            "{}: {} differs from that of the projections beside it; merge such adapters into their model "
            "first",
            reader.where(), json_quoted(tensor.name));
      }
    }
    from_file(tensor, values, arena);
  }
}

}  // namespace

void write_model_parameters(OutputFile& file, const GptParams& params, std::span<const float> arena,
                            TensorEncoding encoding) {
  const GptConfig& config = params.config();
  write_tensors(file, file_tensors(params, hf_layout(config)), arena, encoding, zero_biases(config));
}

void write_adapters(OutputFile& file, const GptParams& params, std::span<const float> arena) {
  write_tensors(file, adapter_tensors(params, hf_layout(params.config())), arena, TensorEncoding::kF32);
}

GptConfig read_model_config(const Path& directory) {
  if (is_gguf(directory)) return read_gguf_format(GgufFile(directory)).config;
  return read_model_format(directory / kModelConfigFile).config;
}

GptConfig with_shorter_context(GptConfig config, std::int64_t block_size) {
  VKGPT_CHECK(block_size > 0 && block_size <= config.block_size, "{}", block_size);
  config.rope_original_context = config.original_context();
  config.block_size = block_size;
  if (config.attention_window > block_size) config.attention_window = 0;
  return config;
}

std::vector<float> read_model_parameters(const Path& directory, const GptParams& params,
                                         const char* weights_file) {
  const ModelFormat format = read_model_format(directory / kModelConfigFile);
  std::vector<float> arena;
  read_model(directory, weights_file, params, format, arena);
  if (params.adaptation().lora_rank > 0) read_adapters(directory, params, format.layout, arena);
  return arena;
}

void shorten_context(LoadedModel& model, std::int64_t block_size) {
  const GptParams params(with_shorter_context(model.params.config(), block_size));
  model.arena = rearrange(model.params, model.arena, params);
  model.params = params;
}

LoadedModel load_model(const Path& directory, bool average) {
  if (is_gguf(directory)) {
    if (average) fail("{} has no averaged weights", directory.string());
    return read_gguf_model(GgufFile(directory));
  }
  ModelFormat format = read_model_format(directory / kModelConfigFile);
  LoadedModel model{GptParams(format.config), {}, std::move(format)};
  if (average) {
    model.arena = read_model_parameters(directory, model.params, kEmaWeightsFile);
    return model;
  }
  const GptParams adapted(model.params.config(), read_adaptation(directory, model.format.layout));
  if (adapted.adaptation().lora_rank == 0) {
    model.arena = read_model_parameters(directory, model.params);
    return model;
  }
  std::vector<float> merged = read_model_parameters(directory, adapted);
  merge_adapters(adapted, merged);
  model.arena = rearrange(adapted, merged, model.params);
  return model;
}

}  // namespace vkgpt::model
