#include "model/hf_layers.hpp"

#include <algorithm>
#include <vector>

#include "vkgpt/core/error.hpp"

#include "model/hf_gemma3.hpp"

namespace vkgpt::model {
namespace {

/// An array with a member for each layer, or more.
const Json& layer_list(const Members& members, const char* key, const GptConfig& config) {
  const Json& list = members.at(key);
  if (!list.is_array() || static_cast<std::int64_t>(list.size()) < config.n_layer) {
    fail("{}: {} is not a list of {} layers", members.where(), key, config.n_layer);
  }
  return list;
}

/// 'r' or 'n' for each layer: whether it has rotary positions.
std::string rotary_layers(const Members& members, std::string_view type, const GptConfig& config) {
  std::string layers(static_cast<std::size_t>(config.n_layer), 'r');
  if (type != "smollm3") {
    if (members.has("no_rope_layers"))
      fail("{}: no_rope_layers is not supported in {}", members.where(), type);
    return layers;
  }
  if (members.has("no_rope_layers")) {
    const Json& list = layer_list(members, "no_rope_layers", config);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::uint64_t rotates = list[i].is_number_unsigned() ? list[i].get<std::uint64_t>() : 2;
      if (rotates > 1) fail("{}: no_rope_layers holds something but 0 and 1", members.where());
      if (rotates == 0) layers[i] = 'n';
    }
    return layers;
  }
  const auto interval = static_cast<std::size_t>(members.size("no_rope_layer_interval", 4));
  if (interval == 0) fail("{}: no_rope_layer_interval is 0", members.where());
  for (std::size_t i = interval - 1; i < layers.size(); i += interval) layers[i] = 'n';
  return layers;
}

/// 'w' or 'f' for each layer: whether it has the window. `rotary` is that of `rotary_layers`.
std::string window_layers(const Members& members, std::string_view type, const GptConfig& config,
                          std::string_view rotary) {
  std::string layers(static_cast<std::size_t>(config.n_layer), 'f');
  if (members.has("layer_types")) {
    const Json& types = layer_list(members, "layer_types", config);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string word = types[i].is_string() ? types[i].get<std::string>() : types[i].dump();
      if (word == "sliding_attention") {
        layers[i] = 'w';
      } else if (word != "full_attention") {
        fail("{}: layer_types names {}, which this version does not run", members.where(), json_quoted(word));
      }
    }
    if (type == "mistral" && layers.contains('f')) {
      fail("{}: layer_types names full_attention, but a mistral model has its window in all layers",
           members.where());
    }
    return layers;
  }
  if (type == kGemma3) {
    const auto period = static_cast<std::size_t>(
        members.size("sliding_window_pattern", members.size("_sliding_window_pattern", 6)));
    if (period == 0) fail("{}: sliding_window_pattern is 0", members.where());
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i] = (i + 1) % period == 0 ? 'f' : 'w';
    return layers;
  }
  if (type == "mistral") return std::string(layers.size(), 'w');
  if (type == "smollm3") {
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i] = rotary[i] == 'n' ? 'w' : 'f';
    return layers;
  }
  const auto first = static_cast<std::size_t>(members.size("max_window_layers", 28));
  for (std::size_t i = first; i < layers.size(); ++i) layers[i] = 'w';
  return layers;
}

/// Keys that the queries of some layers see; 0 where all see all.
std::int64_t window_width(const Members& members, std::string_view type) {
  const bool always = type == "mistral" || type == kGemma3;
  if (type == "llama" || (!always && !members.flag("use_sliding_window", false))) return 0;
  constexpr std::int64_t kUsual = 4096;  // transformers' where the key is absent; null is no window
  if (!members.is_there("sliding_window")) return type == "smollm3" ? 0 : kUsual;
  if (!members.has("sliding_window")) return 0;
  const std::int64_t window = members.size("sliding_window");
  if (window == 0) fail("{}: sliding_window is 0", members.where());
  return window;
}

/// Nothing where all layers are of the usual kind.
std::string pattern_of(std::string_view layers, char usual) {
  const bool all = std::ranges::all_of(layers, [usual](char letter) { return letter == usual; });
  return all ? std::string() : shortest_pattern(layers);
}

std::vector<std::string> layer_types(const GptConfig& config) {
  std::vector<std::string> types;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    types.emplace_back(config.layer_has_window(layer) ? "sliding_attention" : "full_attention");
  }
  return types;
}

/// A layer has a window where its positions are local. Older versions forgot one that was longer than the
/// context.
void write_gemma3_layers(const GptConfig& config, nlohmann::ordered_json& json) {
  std::vector<std::string> types;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    types.emplace_back(config.layer_rope_is_local(layer) ? "sliding_attention" : "full_attention");
  }
  json["sliding_window"] = config.attention_window > 0 ? config.attention_window : config.block_size;
  json["layer_types"] = types;
  const auto period = std::ranges::find(types, "full_attention") - types.begin() + 1;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool sees_all = static_cast<std::ptrdiff_t>(i + 1) % period == 0;
    if (types[i] != (sees_all ? "full_attention" : "sliding_attention")) return;
  }
  json["sliding_window_pattern"] = period;  // what transformers had before layer_types
}

}  // namespace

std::string shortest_pattern(std::string_view layers) {
  for (std::size_t length = 1; length < layers.size(); ++length) {
    if (layers.substr(length) == layers.substr(0, layers.size() - length)) {
      return std::string(layers.substr(0, length));
    }
  }
  return std::string(layers);
}

void read_hf_layers(const Members& members, std::string_view type, GptConfig& config) {
  constexpr std::int64_t kMostLayers = 1024;
  if (config.n_layer < 1 || config.n_layer > kMostLayers) {
    fail("{}: num_hidden_layers is {}, not 1 to {}", members.where(), config.n_layer, kMostLayers);
  }
  std::string rotary = rotary_layers(members, type, config);
  if (type == kGemma3) {
    rotary = window_layers(members, type, config, rotary);
    for (char& letter : rotary) letter = letter == 'w' ? 'l' : 'r';
  }
  config.rope_layers = pattern_of(rotary, 'r');
  const std::int64_t width = window_width(members, type);
  // A window beyond the context is kept for whoever makes the context longer. Not Qwen2's: it is written as
  // Llama, which has none.
  if (width == 0 || (type == "qwen2" && width >= config.block_size)) return;
  const std::string windows = window_layers(members, type, config, rotary);
  if (!windows.contains('w')) return;
  config.attention_window = width;
  config.window_layers = pattern_of(windows, 'w');
}

void write_hf_layers(const GptConfig& config, std::string_view type, nlohmann::ordered_json& json) {
  if (type == kGemma3) return write_gemma3_layers(config, json);
  const bool windowed = config.attention_window > 0;
  if (windowed) json["sliding_window"] = config.attention_window;
  if (type != "qwen3" && type != "smollm3") return;
  json["use_sliding_window"] = windowed;
  json["layer_types"] = layer_types(config);
  if (type == "qwen3") {
    const std::vector<std::string> types = layer_types(config);
    json["max_window_layers"] = std::ranges::find(types, "sliding_attention") - types.begin();
    return;
  }
  std::vector<int> rotary;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    rotary.push_back(config.layer_has_rope(layer) ? 1 : 0);
  }
  json["no_rope_layers"] = rotary;
}

void resolve_layers(GptConfig& config) {
  if (config.attention_window >= config.block_size) config.attention_window = 0;
  std::string rotary, windows;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    rotary += config.layer_rope_is_local(layer) ? 'l' : config.layer_has_rope(layer) ? 'r' : 'n';
    windows += config.layer_window(layer) > 0 ? 'w' : 'f';
  }
  config.rope_layers = config.has_rope() ? pattern_of(rotary, 'r') : "";
  config.window_layers = config.attention_window > 0 ? pattern_of(windows, 'w') : "";
  if (!windows.contains('w')) {
    config.attention_window = 0;
    config.window_layers.clear();
  }
}

}  // namespace vkgpt::model
