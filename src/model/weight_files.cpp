#include "vkgpt/model/weight_files.hpp"

#include <filesystem>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
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
  constexpr std::string_view kCompiled = "_orig_mod.";
  constexpr std::string_view kParallel = "module.";
  std::string bare(name);
  for (std::size_t at = bare.find(kCompiled); at != bare.npos; at = bare.find(kCompiled, at)) {
    if (at == 0 || bare[at - 1] == '.') {
      bare.erase(at, kCompiled.size());
    } else {
      at += kCompiled.size();
    }
  }
  while (bare.starts_with(kParallel)) bare.erase(0, kParallel.size());
  return bare;
}

/// A clone without Git LFS leaves a few lines of text in place of a large file.
void refuse_pointer(const Path& path) {
  constexpr std::string_view kStart = "version https://git-lfs";
  const InputFile file(path);
  if (file.size() < kStart.size()) return;
  std::string start(kStart.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(start)));
  if (start != kStart) return;
  fail("{} is a Git LFS pointer, not the file itself: run 'git lfs pull' in its repository",
       printable(path.string(), 200));
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
  refuse_pointer(path_);
  files_.emplace_back(path_);
  for (const SafetensorsEntry& entry : files_[0].entries()) shard_of_[entry.name] = 0;
  drop_wrappers();
}

void WeightFiles::drop_wrappers() {
  std::map<std::string, std::size_t, std::less<>> plain;
  for (const auto& [name, shard] : shard_of_) {
    std::string bare = bare_name(name);
    const auto [place, fresh] = plain.emplace(bare, shard);
    if (!fresh) {
      fail("{}: {} and another tensor are both {} without their prefixes", path_.string(), json_quoted(name),
           json_quoted(bare));
    }
    if (bare != name) stored_name_.emplace(std::move(bare), name);
  }
  shard_of_ = std::move(plain);
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
      refuse_pointer(path_.parent_path() / shard->first);
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
