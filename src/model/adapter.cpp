#include "vkgpt/model/adapter.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/hf_config.hpp"
#include "vkgpt/model/weight_files.hpp"

#include "model/adapter_settings.hpp"

namespace vkgpt::model {
namespace {

constexpr std::string_view kWeight = ".weight";

/// Whether PEFT takes a name for that of this module: its whole name, or the end of it.
bool is_module(const std::string& module, const std::string& name) {
  return module == name || module.ends_with("." + name);
}

/// Reads the factors of one module after the other.
class AdapterReader {
 public:
  explicit AdapterReader(const Path& directory)
      : settings_(read_adapter_settings(checked(directory) / kAdapterConfigFile)),
        config_(directory / kAdapterConfigFile),
        files_(directory, kAdapterWeightsFile) {
    for (const std::string_view name : files_.names()) unused_.emplace(name);
  }

  Adapter read(const GptParams& params) {
    Adapter adapter{.rank = settings_.rank, .scale = settings_.scale, .parts = {}};
    for (const FileTensor& tensor : file_tensors(params, hf_layout(params.config()))) {
      const ParamSpec& spec = *tensor.spec;
      if (!spec.name.starts_with("h.") || spec.shape.rank() != 2 || !tensor.name.ends_with(kWeight)) continue;
      read_module(tensor, adapter);
    }
    if (!unused_.empty()) {
      fail("{}: tensor {} has no place in this model (there are {} such)", files_.path().string(),
           json_quoted(*unused_.begin()), unused_.size());
    }
    check_targets(params);
    return adapter;
  }

 private:
  static const Path& checked(const Path& directory) {
    if (!std::filesystem::exists(directory / kAdapterConfigFile)) {
      fail("{} holds no adapters ({})", directory.string(), kAdapterConfigFile);
    }
    constexpr const char* kPickled = "adapter_model.bin";
    if (std::filesystem::exists(directory / kPickled) &&
        !std::filesystem::exists(directory / kAdapterWeightsFile)) {
      fail("{}: {} is not read: save the adapters again with PEFT's safe_serialization=True",
           directory.string(), kPickled);
    }
    return directory;
  }

  void read_module(const FileTensor& tensor, Adapter& adapter) {
    const std::string module = tensor.name.substr(0, tensor.name.size() - kWeight.size());
    const std::string name = std::string(kAdapterPrefix) + module;
    const std::string a = name + ".lora_A.weight", b = name + ".lora_B.weight";
    if (files_.find(a).entry == nullptr && files_.find(b).entry == nullptr) return;
    const std::int64_t rows = tensor.transposed ? tensor.shape[1] : tensor.shape[0];
    const std::int64_t in = tensor.spec->shape.back();
    adapter.parts.push_back({.param = tensor.spec->name,
                             .first_row = tensor.first_row,
                             .rows = rows,
                             .a = factor(a, {settings_.rank, in}, 0, module),
                             .b = factor(b, {rows, settings_.rank}, 1, module)});
    modules_.push_back(module);
  }

  /// A factor of this shape, whose dimension `rank_at` is the rank.
  std::vector<float> factor(const std::string& name, const Shape& shape, std::size_t rank_at,
                            const std::string& module) {
    const auto [file, entry] = files_.find(name);
    const std::string where = files_.path().string();
    if (entry == nullptr) fail("{}: tensor {} is missing", where, json_quoted(name));
    const Shape& found = entry->shape;
    if (found.rank() != 2 || found[1 - rank_at] != shape[1 - rank_at]) {
      fail("{}: {} has the shape {}, the model's {} takes {}: were these adapters trained on another model?",
           where, json_quoted(name), found.to_string(), module, shape.to_string());
    }
    if (found != shape) {
      fail("{}: {} has the shape {}, but r is {} in {}", where, json_quoted(name), found.to_string(),
           settings_.rank, config_.filename().string());
    }
    std::vector<float> values(static_cast<std::size_t>(shape.numel()));
    file->read(*entry, values);
    unused_.erase(name);
    return values;
  }

  /// Refuses lost tensors. A target of which this model has no module says nothing: there are lists for
  /// models of many kinds.
  void check_targets(const GptParams& params) const {
    if (settings_.excludes_pattern) return;
    std::vector<std::string> expected = {"lm_head"};  // a tied head is a module, too
    for (const FileTensor& tensor : file_tensors(params, hf_layout(params.config()))) {
      if (tensor.spec->shape.rank() == 2 && tensor.name.ends_with(kWeight))
        expected.push_back(tensor.name.substr(0, tensor.name.size() - kWeight.size()));
    }
    std::erase_if(expected, [&](const std::string& module) {
      return std::ranges::any_of(settings_.excluded,
                                 [&](const std::string& name) { return is_module(module, name); });
    });
    for (const std::string& target : settings_.targets) {
      const auto is_target = [&](const std::string& module) { return is_module(module, target); };
      if (std::ranges::any_of(expected, is_target) && std::ranges::none_of(modules_, is_target)) {
        fail("{}: target_modules has {}, of which {} has no tensors", config_.string(), json_quoted(target),
             kAdapterWeightsFile);
      }
    }
  }

  AdapterSettings settings_;
  Path config_;
  WeightFiles files_;
  std::set<std::string, std::less<>> unused_;
  std::vector<std::string> modules_;  // that have adapters
};

/// Adds what an adapter says of rows [first, ...) of a parameter.
void add_rows(const Adapter& adapter, const std::string& param, std::int64_t first, std::int64_t width,
              std::span<float> values) {
  const auto rank = static_cast<std::size_t>(adapter.rank);
  const auto in = static_cast<std::size_t>(width);
  const std::int64_t count = std::ssize(values) / width;
  for (const AdapterPart& part : adapter.parts) {
    if (part.param != param) continue;
    const std::int64_t begin = std::max(first, part.first_row);
    const std::int64_t end = std::min(first + count, part.first_row + part.rows);
    for (std::int64_t row = begin; row < end; ++row) {
      const float* b = part.b.data() + static_cast<std::size_t>(row - part.first_row) * rank;
      float* weight = values.data() + (row - first) * width;
      for (std::size_t i = 0; i < in; ++i) {
        double sum = 0;
        for (std::size_t r = 0; r < rank; ++r) sum += double{b[r]} * double{part.a[r * in + i]};
        weight[i] = static_cast<float>(weight[i] + adapter.scale * sum);
      }
    }
  }
}

class AdaptedParams final : public ParamSource {
 public:
  AdaptedParams(std::unique_ptr<ParamSource> base, Adapter adapter)
      : base_(std::move(base)), adapter_(std::move(adapter)) {}

  void read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
            std::span<float> values) const override {
    base_->read(spec, first, count, values);
    add_rows(adapter_, spec.name, first, row_width(spec), values);
  }

  bool read_blocks(const ParamSpec& spec, BlockType type, std::int64_t first, std::int64_t count,
                   std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) const override {
    const bool is_adapted = std::ranges::contains(adapter_.parts, spec.name, &AdapterPart::param);
    return !is_adapted && base_->read_blocks(spec, type, first, count, quants, scales);
  }

 private:
  std::unique_ptr<ParamSource> base_;
  Adapter adapter_;
};

}  // namespace

Adapter read_adapter(const Path& directory, const GptParams& params) {
  return AdapterReader(directory).read(params);
}

void merge_adapter(const Adapter& adapter, const GptParams& params, std::span<float> arena) {
  for (const ParamSpec& spec : params.specs()) {
    add_rows(adapter, spec.name, 0, row_width(spec),
             arena.subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel())));
  }
}

std::unique_ptr<ParamSource> adapted_params(std::unique_ptr<ParamSource> base, Adapter adapter) {
  return std::make_unique<AdaptedParams>(std::move(base), std::move(adapter));
}

}  // namespace vkgpt::model
