#include "vkgpt/model/model_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/adapter.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/gguf_import.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/model/safetensors.hpp"

#include "model/gguf_params.hpp"
#include "model/model_files.hpp"
#include "model/tensor_reader.hpp"

namespace vkgpt::model {
namespace {

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

void read_model(const Path& directory, const char* name, const GptParams& params, const ModelFormat& format,
                std::vector<float>& arena) {
  const ModelFiles files(directory, name, format);
  // Only now, when the file is known to be as large as the model says.
  arena.assign(static_cast<std::size_t>(params.arena_elements()), 0.0f);
  for (const ParamSpec& spec : params.specs()) {
    if (spec.is_adapter) continue;
    const auto values = std::span(arena).subspan(static_cast<std::size_t>(spec.offset),
                                                 static_cast<std::size_t>(spec.numel()));
    files.read(spec, 0, spec.numel() / row_width(spec), values);
  }
}

void read_adapters(const Path& directory, const GptParams& params, TensorLayout layout,
                   std::span<float> arena) {
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
  return config;
}

GptConfig with_longer_context(GptConfig config, std::int64_t block_size) {
  VKGPT_CHECK(config.has_rope() && block_size >= config.block_size, "{}", block_size);
  config.rope_original_context = config.original_context();
  config.block_size = block_size;
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

std::unique_ptr<ParamSource> open_params(const Path& path) {
  if (is_gguf(path)) return open_gguf_params(path);
  const ModelFormat format = read_model_format(path / kModelConfigFile);
  if (read_adaptation(path, format.layout).lora_rank > 0) {
    fail("{} holds adapters beside a model: make one model of them first ('vkgpt export --format hf')",
         path.string());
  }
  return std::make_unique<ModelFiles>(path, kModelWeightsFile, format);
}

void read_adapter_parameters(const Path& directory, const GptParams& params, std::span<float> arena) {
  read_adapters(directory, params, read_model_format(directory / kModelConfigFile).layout, arena);
}

std::optional<Path> find_base_path(const Path& directory) {
  const std::string where = (directory / kAdapterConfigFile).string();
  const Path base = json_string(read_json_file(where), "base_model_name_or_path", where);
  std::error_code error;
  if (base.empty() || base == "." || !std::filesystem::exists(base, error)) return std::nullopt;
  if (!std::filesystem::is_directory(base, error) || std::filesystem::exists(base / kModelConfigFile, error))
    return base;
  for (const char* link : {"best", "latest"}) {
    const Path checkpoint = base / std::filesystem::read_symlink(base / link, error);
    if (!error && std::filesystem::exists(checkpoint / kModelConfigFile, error)) return checkpoint;
  }
  return base;
}

Path read_base_path(const Path& directory) {
  if (std::optional<Path> base = find_base_path(directory)) return *std::move(base);
  const std::string where = (directory / kAdapterConfigFile).string();
  fail("{}: the model of these adapters is neither in their directory nor at {}: give it with --model", where,
       json_quoted(json_string(read_json_file(where), "base_model_name_or_path", where)));
}

Path base_of_adapters(const Path& directory) {
  const bool has_base = std::filesystem::exists(directory / kModelWeightsFile) ||
                        std::filesystem::exists(directory / kModelIndexFile);
  return has_base ? directory : read_base_path(directory);
}

std::unique_ptr<ParamSource> open_base_params(const Path& path) {
  if (is_gguf(path)) return open_gguf_params(path);
  return std::make_unique<ModelFiles>(path, kModelWeightsFile, read_model_format(path / kModelConfigFile));
}

std::unique_ptr<ParamSource> open_model_params(const Path& path, bool average) {
  if (is_gguf(path)) {
    if (average) fail("{} has no averaged weights", path.string());
    return open_gguf_params(path);
  }
  const ModelFormat format = read_model_format(path / kModelConfigFile);
  if (average) return std::make_unique<ModelFiles>(path, kEmaWeightsFile, format);
  if (!std::filesystem::exists(path / kAdapterConfigFile)) return open_base_params(path);
  return adapted_params(open_base_params(base_of_adapters(path)),
                        read_adapter(path, GptParams(format.config)));
}

LoadedModel load_model(const Path& directory, bool average) {
  if (is_gguf(directory) && !average) return read_gguf_model(GgufFile(directory));
  const std::unique_ptr<ParamSource> source = open_model_params(directory, average);
  ModelFormat format = read_model_format(directory / kModelConfigFile);
  LoadedModel model{GptParams(format.config), {}, std::move(format)};
  // Only now, when the files are known to be as large as the model says.
  model.arena.assign(static_cast<std::size_t>(model.params.arena_elements()), 0.0F);
  for (const ParamSpec& spec : model.params.specs()) {
    source->read(spec, 0, spec.numel() / row_width(spec),
                 std::span(model.arena)
                     .subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel())));
  }
  return model;
}

}  // namespace vkgpt::model
