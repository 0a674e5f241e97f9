#include "vkgpt/model/gguf_adapter.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/gguf_model.hpp"
#include "vkgpt/model/gguf_writer.hpp"

#include "model/gguf_layout.hpp"
#include "model/gguf_rows.hpp"

namespace vkgpt::model {

std::string_view write_gguf_adapter(OutputFile& file, const Adapter& adapter, const GptParams& params,
                                    const std::string& name) {
  const std::string_view architecture = gguf_architecture(params.config());
  const double alpha = adapter.scale * static_cast<double>(adapter.rank);  // it divides by the rank
  const std::vector<GgufEntry> metadata = {{"general.type", std::string("adapter")},
                                           {"general.architecture", std::string(architecture)},
                                           {"general.name", name},
                                           {"adapter.type", std::string("lora")},
                                           {"adapter.lora.alpha", static_cast<float>(alpha)}};
  std::vector<GgufTensor> tensors;
  std::vector<std::vector<float>> factors;
  const auto add = [&](const std::string& tensor, Shape shape, std::vector<float> values) {
    tensors.push_back({.name = tensor, .encoding = TensorEncoding::kF32, .shape = std::move(shape)});
    factors.push_back(std::move(values));
  };
  std::size_t used = 0;
  for (const GgufSource& source :
       gguf_sources(params, architecture, TensorEncoding::kF32, params.config().vocab_size)) {
    if (source.spec == nullptr) continue;
    for (const AdapterPart& part : adapter.parts) {
      if (part.param != source.spec->name || part.first_row != source.first_row) continue;
      VKGPT_CHECK(part.rows == source.rows, "{} rows of {}", part.rows, source.tensor.name);
      add(source.tensor.name + ".lora_a", {adapter.rank, source.spec->shape.back()}, part.a);
      add(source.tensor.name + ".lora_b", {part.rows, adapter.rank},
          source.rotated_heads > 0 ? pair_halves(part.b, source.rotated_heads, part.rows) : part.b);
      ++used;
    }
  }
  VKGPT_CHECK(used == adapter.parts.size(), "{} of {} parts", used, adapter.parts.size());
  write_gguf(file, metadata, tensors, [&](std::size_t i, const ByteSink& sink) {
    encode_tensor(tensors[i].name, factors[i], TensorEncoding::kF32, sink);
  });
  return architecture;
}

}  // namespace vkgpt::model
