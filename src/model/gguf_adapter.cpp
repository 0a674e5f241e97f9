#include "vkgpt/model/gguf_adapter.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/gguf_file.hpp"
#include "vkgpt/model/gguf_model.hpp"
#include "vkgpt/model/gguf_writer.hpp"

#include "model/gguf_layout.hpp"
#include "model/gguf_rows.hpp"

namespace vkgpt::model {
namespace {

constexpr const char* kAlpha = "adapter.lora.alpha";
constexpr std::string_view kFactorA = ".lora_a", kFactorB = ".lora_b";

/// The architecture for which the file was made, which says how rows of queries and keys lie.
std::string architecture_of(const GgufFile& file, const GptConfig& config) {
  const std::string where = file.where();
  if (file.get<std::string>("general.type") != "adapter" || file.get<std::string>("adapter.type") != "lora") {
    fail("{}: it holds no LoRA adapters", where);
  }
  if (file.has("adapter.alora.invocation_tokens")) {
    fail("{}: adapters that begin at invocation tokens are not supported", where);
  }
  const auto& made_for = file.get<std::string>("general.architecture");
  const std::string_view ours = gguf_architecture(config);
  // Both are computed alike; files of the one have their rows permuted.
  const bool is_alike = made_for == "qwen2" && ours == "llama";
  if (made_for != ours && !is_alike) {
    fail("{}: these adapters are of {}, the model is of {}", where, json_quoted(made_for), ours);
  }
  return made_for;
}

/// Reads the factors of one matrix after the other.
class GgufAdapterReader {
 public:
  explicit GgufAdapterReader(const GgufFile& file) : file_(file) {
    for (const GgufTensorInfo& tensor : file.tensors()) unused_.insert(tensor.name);
  }

  Adapter read(const GptParams& params) {
    const std::string architecture = architecture_of(file_, params.config());
    Adapter adapter;
    for (const GgufSource& source :
         gguf_sources(params, architecture, TensorEncoding::kF32, params.config().vocab_size)) {
      if (source.spec == nullptr || source.spec->shape.rank() != 2 || !source.spec->name.starts_with("h.")) {
        continue;
      }
      read_factors(source, adapter);
    }
    if (!unused_.empty()) {
      fail("{}: tensor {} has no place in this model (there are {} such)", file_.where(),
           json_quoted(*unused_.begin()), unused_.size());
    }
    if (adapter.parts.empty()) fail("{}: it holds no adapters", file_.where());
    const auto alpha = file_.get<double>(kAlpha);
    const auto rank = static_cast<double>(adapter.rank);
    if (!(std::abs(alpha) <= kMostAlpha)) fail("{}: {} is {}", file_.where(), kAlpha, alpha);
    adapter.scale = alpha == 0 ? 1 : alpha / rank;  // as llama.cpp has it
    return adapter;
  }

 private:
  static constexpr double kMostAlpha = 1e9;

  void read_factors(const GgufSource& source, Adapter& adapter) {
    const std::string &name = source.tensor.name, a_name = name + std::string(kFactorA),
                      b_name = name + std::string(kFactorB);
    const GgufTensorInfo *a = file_.find(a_name), *b = file_.find(b_name);
    if (a == nullptr && b == nullptr) return;
    if (a == nullptr || b == nullptr) {
      fail("{}: tensor {} is missing", file_.where(), json_quoted(a == nullptr ? a_name : b_name));
    }
    const std::int64_t in = source.spec->shape.back();
    const std::int64_t rank = a->shape.rank() == 2 ? a->shape[0] : 0;
    if (rank < 1 || a->shape != Shape{rank, in} || b->shape != Shape{source.rows, rank}) {
      fail(
          "{}: the factors of {} have the shapes {} and {}, the model takes (r, {}) and ({}, r): were these "
          "adapters trained on another model?",
          file_.where(), name, a->shape.to_string(), b->shape.to_string(), in, source.rows);
    }
    if (!adapter.parts.empty() && rank != adapter.rank) {
      fail("{}: factors of {} have the rank {}, others {}: only adapters of one rank are supported",
           file_.where(), name, rank, adapter.rank);
    }
    adapter.rank = rank;
    AdapterPart part{.param = source.spec->name,
                     .first_row = source.first_row,
                     .rows = source.rows,
                     .a = numbers(*a),
                     .b = numbers(*b)};
    if (source.rotated_heads > 0) part.b = halve_pairs(part.b, source.rotated_heads, source.rows);
    adapter.parts.push_back(std::move(part));
  }

  std::vector<float> numbers(const GgufTensorInfo& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.shape.numel()));
    file_.read(tensor, values);
    unused_.erase(tensor.name);
    return values;
  }

  const GgufFile& file_;
  std::set<std::string, std::less<>> unused_;
};

}  // namespace

std::string_view write_gguf_adapter(OutputFile& file, const Adapter& adapter, const GptParams& params,
                                    const std::string& name) {
  const std::string_view architecture = gguf_architecture(params.config());
  const double alpha = adapter.scale * static_cast<double>(adapter.rank);  // it divides by the rank
  const std::vector<GgufEntry> metadata = {{"general.type", std::string("adapter")},
                                           {"general.architecture", std::string(architecture)},
                                           {"general.name", name},
                                           {"adapter.type", std::string("lora")},
                                           {kAlpha, static_cast<float>(alpha)}};
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
      add(source.tensor.name + std::string(kFactorA), {adapter.rank, source.spec->shape.back()}, part.a);
      add(source.tensor.name + std::string(kFactorB), {part.rows, adapter.rank},
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

Adapter read_gguf_adapter(const Path& path, const GptParams& params) {
  const GgufFile file(path);
  return GgufAdapterReader(file).read(params);
}

}  // namespace vkgpt::model
