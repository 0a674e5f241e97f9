#include "model/adapter_settings.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::model {
namespace {

constexpr std::uint64_t kMaxLoraRank = 4096;

bool flag_of(const Json& json, const char* name, const std::string& where) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return false;
  if (!found->is_boolean()) fail("{}: {} is not true or false", where, name);
  return found->get<bool>();
}

/// Whether a member is there and says something: not null or false, and no empty list, table or text.
bool says_something(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return false;
  if (found->is_boolean()) return found->get<bool>();
  return !(found->is_string() ? found->get<std::string>().empty() : found->empty());
}

std::vector<std::string> names_of(const Json& list, const char* member, const std::string& where) {
  std::vector<std::string> names;
  for (const Json& name : list) {
    if (!name.is_string()) fail("{}: {} is not a list of names", where, member);
    names.push_back(name.get<std::string>());
  }
  return names;
}

/// A value as a message shows it.
std::string shown(const Json& value) {
  return json_quoted(value.is_string() ? value.get<std::string>() : value.dump());
}

/// PEFT begins some kinds of factors with a part of the base's weights and takes that part out of the base
/// whenever it loads them, so that the base with the factors added has it twice.
void check_beginning(const Json& json, const std::string& where) {
  constexpr std::array<std::string_view, 4> kTakenOut = {"pissa", "olora", "loftq", "corda"};
  const auto begun = json.find("init_lora_weights");
  if (begun == json.end() || !begun->is_string()) return;
  std::string kind = begun->get<std::string>();
  for (char& letter : kind) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  if (std::ranges::none_of(kTakenOut, [&](std::string_view name) { return kind.starts_with(name); })) return;
  fail(
      "{}: init_lora_weights is {}, for which PEFT changes the model's weights, too: save them with "
      "path_initial_model_for_weight_conversion, or merge them with PEFT",
      where, shown(*begun));
}

void check_kind(const Json& json, const std::string& where) {
  if (const auto type = json.find("peft_type"); type != json.end() && *type != "LORA") {
    fail("{}: peft_type is {}, only LORA is supported", where, shown(*type));
  }
  check_beginning(json, where);
  for (const char* name : {"use_dora", "lora_bias", "use_qalora"}) {
    if (flag_of(json, name, where))
      fail("{}: {} is not supported; merge such adapters with PEFT", where, name);
  }
  if (const auto tokens = json.find("alora_invocation_tokens"); tokens != json.end() && !tokens->is_null()) {
    fail(
        "{}: alora_invocation_tokens is not supported: these adapters hold from those tokens on, not for a "
        "whole text",
        where);
  }
  // Each changes what is computed.
  for (const char* name :
       {"rank_pattern", "alpha_pattern", "modules_to_save", "arrow_config", "kasa_config", "use_bdlora",
        "layer_replication", "target_parameters", "trainable_token_indices"}) {
    if (says_something(json, name))
      fail("{}: {} is not supported; merge such adapters with PEFT", where, name);
  }
  if (const auto bias = json.find("bias"); bias != json.end() && *bias != "none") {
    fail("{}: bias is {}, only \"none\" is supported", where, shown(*bias));
  }
}

}  // namespace

AdapterSettings read_adapter_settings(const Path& path) {
  const std::string where = path.string();
  const Json json = read_json_file(path);
  check_kind(json, where);
  AdapterSettings settings;
  settings.rank = static_cast<std::int64_t>(json_unsigned(json, "r", where, kMaxLoraRank));
  settings.alpha = json_number(json, "lora_alpha", where);
  const Json& targets = json_member(json, "target_modules", where);
  const bool is_list = targets.is_array() && !targets.empty();
  if (settings.rank == 0 || (!is_list && !targets.is_string())) {
    fail("{}: r or target_modules is empty", where);
  }
  const auto r = static_cast<double>(settings.rank);
  // rsLoRA: Kalajdzievski, arXiv:2312.03732.
  settings.scale = settings.alpha / (flag_of(json, "use_rslora", where) ? std::sqrt(r) : r);
  if (is_list) settings.targets = names_of(targets, "target_modules", where);
  if (!says_something(json, "exclude_modules")) return settings;
  settings.excludes_pattern = json["exclude_modules"].is_string();
  if (settings.excludes_pattern) return settings;
  settings.excluded = names_of(json["exclude_modules"], "exclude_modules", where);
  return settings;
}

}  // namespace vkgpt::model
