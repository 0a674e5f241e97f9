#include "cli/model/logits_file.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::cli {
namespace {

/// Whether nothing can be renamed to `path`: a pipe or a device.
bool is_special_file(const Path& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

void fill_logits(OutputFile& file, text::Generator& generator, const model::GptConfig& config,
                 std::span<const text::Token> tokens) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  model::write_safetensors(
      file, {{"logits", DType::kF32, {n, config.vocab_size}}, {"tokens", DType::kI32, {n}}},
      [&](const model::SafetensorsTensor& tensor, const model::SafetensorsSink& sink) {
        if (tensor.name == "tokens") return sink(std::as_bytes(tokens));
        for (std::size_t length = 1; length <= tokens.size(); ++length) {
          const std::span<const text::Token> window = tokens.first(length);
          sink(std::as_bytes(length == 1 ? generator.prefill(window) : generator.decode(window)));
        }
      });
  file.finish();
}

}  // namespace

void write_logits(const Path& path, text::Generator& generator, const model::GptConfig& config,
                  std::span<const text::Token> tokens) {
  tokens = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(config.block_size)));
  if (is_special_file(path)) {
    OutputFile file(path);
    return fill_logits(file, generator, config, tokens);
  }
  const Path temporary = Path(path) += ".tmp";
  try {
    OutputFile file(temporary);
    fill_logits(file, generator, config, tokens);
    rename_path(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  sync_directory(path.parent_path());
}

}  // namespace vkgpt::cli
