#include "vkgpt/model/adapter_config.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/base_directory.hpp"

#include "model/adapter_settings.hpp"

namespace vkgpt::model {
namespace {

struct TargetName {
  std::string_view llama;
  std::string_view ours;
};
constexpr TargetName kTargets[] = {{"q_proj", "attn.c_attn"},  {"k_proj", "attn.c_attn"},
                                   {"v_proj", "attn.c_attn"},  {"o_proj", "attn.c_proj"},
                                   {"gate_proj", "mlp.c_fc"},  {"up_proj", "mlp.c_fc"},
                                   {"down_proj", "mlp.c_proj"}};

/// Modules of LLaMA's layout that have adapters: "q_proj" where every layer's has one, else the module's
/// whole name.
std::vector<std::string> llama_targets(const GptParams& params) {
  constexpr std::string_view kWord = ".lora_A.weight";
  std::map<std::string, std::vector<std::string>> modules;  // by the last part of the name
  for (const FileTensor& tensor : adapter_tensors(params, TensorLayout::kLlama)) {
    if (!tensor.name.ends_with(kWord)) continue;
    const std::string module =
        tensor.name.substr(kAdapterPrefix.size(), tensor.name.size() - kAdapterPrefix.size() - kWord.size());
    modules[module.substr(module.rfind('.') + 1)].push_back(module);
  }
  std::vector<std::string> targets;
  for (const auto& [last, names] : modules) {
    if (std::cmp_equal(names.size(), params.config().n_layer)) {
      targets.push_back(last);
    } else {
      targets.insert(targets.end(), names.begin(), names.end());
    }
  }
  return targets;
}

/// Our name of a module of LLaMA's layout: "q_proj" or "model.layers.3.self_attn.q_proj".
std::string our_target(const std::string& name, const std::string& where) {
  constexpr std::string_view kLayers = "model.layers.";
  const auto* target =
      std::ranges::find(kTargets, std::string_view(name).substr(name.rfind('.') + 1), &TargetName::llama);
  if (target == std::end(kTargets))
    fail("{}: target_modules has {}, which is not supported", where, json_quoted(name));
  if (!name.starts_with(kLayers)) return std::string(target->ours);
  const std::string layer = name.substr(kLayers.size(), name.find('.', kLayers.size()) - kLayers.size());
  return layer + "." + std::string(target->ours);
}

}  // namespace

std::string adapter_config_json(const GptParams& params, TensorLayout layout) {
  return adapter_config_json(params, layout, ".");
}

std::string adapter_config_json(const GptParams& params, TensorLayout layout, const std::string& base) {
  const Adaptation& adaptation = params.adaptation();
  const bool llama = layout == TensorLayout::kLlama;
  const nlohmann::ordered_json json = {
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", base},
      {"r", adaptation.lora_rank},
      {"lora_alpha", adaptation.lora_alpha},
      {"lora_dropout", 0.0},
      {"bias", "none"},
      {"fan_in_fan_out", !llama},
      {"target_modules", llama ? llama_targets(params) : adaptation.lora_targets}};
  return json.dump(2) + "\n";
}

Adaptation read_adaptation(const Path& directory, TensorLayout layout) {
  Adaptation adaptation;
  const Path path = directory / kAdapterConfigFile;
  if (!std::filesystem::exists(path)) return adaptation;
  const AdapterSettings settings = read_adapter_settings(path);
  if (settings.targets.empty()) fail("{}: target_modules is not a list of names", path.string());
  adaptation.lora_rank = settings.rank;
  adaptation.lora_alpha = settings.scale * static_cast<double>(settings.rank);
  for (const std::string& name : settings.targets) {
    std::string ours = layout == TensorLayout::kLlama ? our_target(name, path.string()) : name;
    if (!std::ranges::contains(adaptation.lora_targets, ours)) {
      adaptation.lora_targets.push_back(std::move(ours));
    }
  }
  return adaptation;
}

}  // namespace vkgpt::model
