#include "vkgpt/train/init_adapter.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/adapter_files.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/plan_options.hpp"

namespace vkgpt::train {
namespace {

std::string module_of(const model::AdapterPart& part) {
  return part.param.substr(0, part.param.rfind('.'));
}

/// Makes of the adapters of a matrix's projections one of the whole matrix.
model::Adapter join_projections(model::Adapter adapter, const model::GptParams& params,
                                const std::string& where) {
  std::vector<model::AdapterPart> whole;
  for (model::AdapterPart& part : adapter.parts) {
    if (whole.empty() || whole.back().param != part.param) {
      whole.push_back({.param = part.param, .first_row = 0, .rows = 0, .a = part.a, .b = {}});
    }
    model::AdapterPart& all = whole.back();
    if (all.a != part.a) {
      fail(
          "{}: the projections of {} each have an A of their own, training has one for all of them: make a "
          "model of these adapters first ('vkgpt merge')",
          where, module_of(part));
    }
    if (part.first_row != all.rows) break;  // rows without adapters are before it
    all.rows += part.rows;
    all.b.insert(all.b.end(), part.b.begin(), part.b.end());
  }
  for (const model::AdapterPart& part : whole) {
    if (part.rows == params.find(part.param).shape[0]) continue;
    fail(
        "{}: only some of the projections of {} have adapters, training has one for all of them: make a "
        "model of these adapters first ('vkgpt merge')",
        where, module_of(part));
  }
  adapter.parts = std::move(whole);
  return adapter;
}

model::Adapter open_init_adapter(const TrainConfig& config, const model::GptConfig& model) {
  const Path path = find_model_directory(config.init_adapter);
  const model::GptParams params(model);
  return join_projections(model::open_adapter(path, params), params, printable(path.string(), 200));
}

/// "c_attn" where every layer has such adapters, else "3.attn.c_attn" of each that has.
std::vector<std::string> targets_of(const model::Adapter& adapter, std::int64_t layers) {
  std::map<std::string, std::vector<std::string>> modules;  // "attn.c_attn" by layer
  for (const model::AdapterPart& part : adapter.parts) {
    const std::string module = module_of(part).substr(2);  // without "h."
    modules[module.substr(module.find('.') + 1)].push_back(module);
  }
  std::vector<std::string> targets;
  for (const auto& [name, in_layers] : modules) {
    if (!std::cmp_equal(in_layers.size(), layers)) {
      targets.insert(targets.end(), in_layers.begin(), in_layers.end());
    } else {
      const bool is_unique = name.ends_with("c_attn") || name.ends_with("c_fc");
      targets.push_back(is_unique ? name.substr(name.find('.') + 1) : name);
    }
  }
  return targets;
}

void check_scale(const FieldSet& fields, const TrainConfig& config, const model::Adapter& adapter) {
  constexpr double kMostAlpha = 1e6;  // of the setting
  constexpr double kRounding = 1e-9;
  const double alpha = adapter.scale * static_cast<double>(adapter.rank);
  if (!(alpha > 0 && alpha <= kMostAlpha)) {
    fail("{}: its lora_alpha of {} is not above 0 and at most {}", printable(config.init_adapter, 200), alpha,
         kMostAlpha);
  }
  if (!fields.was_set("lora_alpha") && !fields.was_set("lora_rank_stabilized")) return;
  TrainConfig given = config;
  given.lora_rank = adapter.rank;
  const double scale = adaptation(given).lora_scale();
  if (std::abs(scale - adapter.scale) <= kRounding * adapter.scale) return;
  fail_usage("lora_alpha = {} scales by {:.6g}: {} has {:.6g}", config.lora_alpha, scale,
             printable(config.init_adapter, 200), adapter.scale);
}

void check_base(const TrainConfig& config) {
  std::error_code error;
  if (std::filesystem::exists(find_model_directory(config.init_from) / model::kAdapterConfigFile, error)) {
    fail_usage(
        "--init_adapter: {} has adapters itself; give with --init_from the model that they were trained on",
        printable(config.init_from, 200));
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ",") + name;
  return all;
}

}  // namespace

bool same_layers(const model::GptConfig& model, const model::Adaptation& one,
                 const model::Adaptation& other) {
  const auto adapted = [&](const model::Adaptation& adaptation) {
    const model::GptParams params(
        model, {.freeze = {}, .lora_rank = 1, .lora_alpha = 1, .lora_targets = adaptation.lora_targets});
    std::vector<std::string> names;
    for (const model::ParamSpec& spec : params.specs()) {
      if (spec.is_adapter) names.push_back(spec.name);
    }
    return names;
  };
  return adapted(one) == adapted(other);
}

void take_adapter_settings(const FieldSet& fields, const model::GptConfig& model, TrainConfig& config) {
  check_base(config);
  const model::Adapter adapter = open_init_adapter(config, model);
  const std::string where = printable(config.init_adapter, 200);
  if (fields.was_set("lora_rank") && config.lora_rank != adapter.rank) {
    fail_usage("lora_rank = {}: {} has {}", config.lora_rank, where, adapter.rank);
  }
  check_scale(fields, config, adapter);
  TrainConfig taken = config;
  taken.lora_rank = adapter.rank;
  taken.lora_targets = joined(targets_of(adapter, model.n_layer));
  if (fields.was_set("lora_targets") && config.lora_targets != taken.lora_targets) {
    TrainConfig given = config;
    given.lora_rank = adapter.rank;
    if (!same_layers(model, adaptation(given), adaptation(taken))) {
      fail_usage("lora_targets = {}: {} has {}", printable(config.lora_targets, 200), where,
                 taken.lora_targets);
    }
  }
  config.lora_rank = taken.lora_rank;
  config.lora_targets = taken.lora_targets;
  config.lora_alpha = adapter.scale * static_cast<double>(adapter.rank);
  config.lora_rank_stabilized = false;
}

void read_init_adapter(const TrainConfig& config, const model::GptParams& params, std::span<float> arena) {
  if (config.init_adapter.empty()) return;
  const model::Adapter adapter = open_init_adapter(config, params.config());
  const auto put = [&](const std::string& name, const std::vector<float>& values) {
    const model::ParamSpec& spec = params.find(name);
    VKGPT_CHECK(std::cmp_equal(values.size(), spec.numel()), "{}", name);
    const auto offset = static_cast<std::size_t>(spec.offset);
    std::ranges::copy(values, arena.subspan(offset, values.size()).begin());
  };
  for (const model::AdapterPart& part : adapter.parts) {
    put(module_of(part) + ".lora_A.weight", part.a);
    put(module_of(part) + ".lora_B.weight", part.b);
  }
}

}  // namespace vkgpt::train
