#include "vkgpt/model/weight_files.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/lfs_pointer.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::model {
namespace {

constexpr std::size_t kMaxShards = 1000;  // every shard stays open
constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{64} << 20;

bool is_there(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Whether `name` is that of a file in the same directory.
bool is_shard_name(const std::string& name) {
  return name.ends_with(".safetensors") && !name.starts_with('.') &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

std::string bare_name(std::string_view name) {
  constexpr std::string_view kParallel = "module.";
  std::string bare(name);
  for (const std::string_view wrapper :
       {"_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."}) {
    for (std::size_t at = bare.find(wrapper); at != bare.npos; at = bare.find(wrapper, at)) {
      if (at == 0 || bare[at - 1] == '.') {
        bare.erase(at, wrapper.size());
      } else {
        at += wrapper.size();
      }
    }
  }
  while (bare.starts_with(kParallel)) bare.erase(0, kParallel.size());
  return bare;
}

/// What stands before the names of all tensors, "net.model." say, where it is found by that of the embedding
/// or the head; empty where these have the names that a model expects.
std::string foreign_prefix(const std::map<std::string, std::size_t, std::less<>>& names) {
  constexpr std::array<std::string_view, 5> kAnchors = {"model.embed_tokens.weight", "transformer.wte.weight",
                                                        "embed_tokens.weight", "wte.weight",
                                                        "lm_head.weight"};
  if (std::ranges::any_of(kAnchors, [&](std::string_view anchor) { return names.contains(anchor); }))
    return {};
  for (const std::string_view anchor : kAnchors) {
    for (const auto& [name, shard] : names) {
      if (name.ends_with("." + std::string(anchor))) return name.substr(0, name.size() - anchor.size());
    }
  }
  return {};
}

}  // namespace

WeightFiles::WeightFiles(const Path& directory, std::string_view name) : path_(directory / name) {
  const Path index = Path(path_) += ".index.json";
  if (!is_there(path_) && is_there(index)) {
    path_ = index;
    open_index();
    drop_wrappers();
    return;
  }
  if (!is_there(path_) && is_there(directory / "pytorch_model.bin")) {
    fail("{} has pytorch_model.bin but no {}: save it as safetensors", directory.string(), name);
  }
  refuse_lfs_pointer(InputFile(path_));
  files_.emplace_back(path_);
  for (const SafetensorsEntry& entry : files_[0].entries()) shard_of_[entry.name] = 0;
  drop_wrappers();
}

void WeightFiles::drop_wrappers() {
  rename([](std::string_view name) { return bare_name(name); });
  const std::string prefix = foreign_prefix(shard_of_);
  if (prefix.empty()) return;
  rename([&](std::string_view name) {
    return std::string(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
  });
}

void WeightFiles::rename(const std::function<std::string(std::string_view)>& to) {
  std::map<std::string, std::size_t, std::less<>> plain;
  std::map<std::string, std::string, std::less<>> stored;
  for (const auto& [name, shard] : shard_of_) {
    std::string bare = to(name);
    const auto [place, fresh] = plain.emplace(bare, shard);
    if (!fresh) {
      fail("{}: {} and another tensor are both {} without their prefixes", path_.string(), json_quoted(name),
           json_quoted(bare));
    }
    const auto old = stored_name_.find(name);
    if (old != stored_name_.end()) {
      stored.emplace(std::move(bare), old->second);
    } else if (bare != name) {
      stored.emplace(std::move(bare), name);
    }
  }
  shard_of_ = std::move(plain);
  stored_name_ = std::move(stored);
}

void WeightFiles::open_index() {
  const std::string where = path_.string();
  const Json index = read_json_file(path_, kMaxIndexBytes);
  const Json& map = json_member(index, "weight_map", where);
  if (!map.is_object() || map.empty()) fail("{}: weight_map is not an object of file names", where);
  std::map<std::string, std::size_t> shards;
  for (const auto& [tensor, file] : map.items()) {
    if (!file.is_string() || !is_shard_name(file.get<std::string>())) {
      fail("{}: weight_map gives {} no file of this directory", where, json_quoted(tensor));
    }
    const auto [shard, is_new] = shards.try_emplace(file.get<std::string>(), shards.size());
    if (shards.size() > kMaxShards) fail("{}: more than {} shards", where, kMaxShards);
    if (is_new) {
      refuse_lfs_pointer(InputFile(path_.parent_path() / shard->first));
      files_.emplace_back(path_.parent_path() / shard->first);
    }
    if (files_[shard->second].find(tensor) == nullptr) {
      fail("{}: {} has no tensor {}", where, printable(shard->first), json_quoted(tensor));
    }
    shard_of_[tensor] = shard->second;
  }
  for (std::size_t shard = 0; shard < files_.size(); ++shard) {
    for (const SafetensorsEntry& entry : files_[shard].entries()) {
      const auto listed = shard_of_.find(entry.name);
      if (listed == shard_of_.end() || listed->second != shard) {
        fail("{}: it does not list tensor {} of {}", where, json_quoted(entry.name),
             files_[shard].path().filename().string());
      }
    }
  }
}

WeightFiles::Tensor WeightFiles::find(std::string_view name) const {
  const auto shard = shard_of_.find(name);
  if (shard == shard_of_.end()) return {};
  const SafetensorsFile& file = files_[shard->second];
  const auto stored = stored_name_.find(name);
  return {.file = &file, .entry = file.find(stored == stored_name_.end() ? name : stored->second)};
}

WeightFiles::Tensor WeightFiles::expect(std::string_view name, const Shape& shape) const {
  const auto shard = shard_of_.find(name);
  const auto stored = stored_name_.find(name);
  const SafetensorsFile& file = files_[shard == shard_of_.end() ? 0 : shard->second];
  return {.file = &file, .entry = &file.expect(stored == stored_name_.end() ? name : stored->second, shape)};
}

std::vector<std::string_view> WeightFiles::names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, shard] : shard_of_) names.push_back(name);
  return names;
}

std::string WeightFiles::dtypes() const {
  std::set<std::string_view> words;
  for (const SafetensorsFile& file : files_) {
    for (const SafetensorsEntry& entry : file.entries()) words.insert(entry.dtype);
  }
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

}  // namespace vkgpt::model
