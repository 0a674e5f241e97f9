#include "cli/model/logits_file.hpp"

#include <algorithm>
#include <vector>

#include "vkgpt/model/safetensors.hpp"

namespace vkgpt::cli {

void write_logits(const Path& path, text::Generator& generator, const model::GptConfig& config,
                  std::span<const text::Token> tokens) {
  tokens = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(config.block_size)));
  const auto n = static_cast<std::int64_t>(tokens.size());
  OutputFile file(path);
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

}  // namespace vkgpt::cli
