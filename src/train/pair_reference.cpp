#include "train/pair_reference.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "vkgpt/comm/agreement.hpp"
#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/dtype.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/plan_options.hpp"

namespace vkgpt::train {
namespace {

constexpr std::uint64_t kReferenceVersion = 1;
constexpr std::uint64_t kMaxReferenceBytes = std::uint64_t{1} << 30;
constexpr std::pair<Split, const char*> kSplits[] = {{Split::kTrain, "train"},
                                                     {Split::kValidation, "validation"}};

/// Size, beginning, end and blocks in between: all of a small file.
void add_sample(Sha256& hash, const Path& path) {
  constexpr std::uint64_t kBlock = 64 << 10, kBlocks = 256;
  const InputFile file(path);
  hash.update(path.filename().string() + " " + std::to_string(file.size()) + "\n");
  std::vector<std::byte> bytes;
  const std::uint64_t step = std::max(kBlock, file.size() / kBlocks);
  for (std::uint64_t at = 0; at < file.size(); at += step) {
    bytes.resize(std::min(kBlock, file.size() - at));
    file.read_at(at, bytes);
    hash.update(bytes);
  }
}

/// The files of a model or of adapters, in order.
std::vector<Path> files_of(const Path& model) {
  std::error_code error;
  if (!std::filesystem::is_directory(model, error)) return {model};
  std::vector<Path> files;
  for (const Path& path : list_directory(model)) {
    const bool is_model = path.extension() == ".safetensors" || path.filename() == model::kModelConfigFile ||
                          path.filename() == model::kAdapterConfigFile;
    if (is_model && path.filename() != "optimizer.safetensors") files.push_back(path);
  }
  std::ranges::sort(files);
  return files;
}

/// Tells the files of one reference from another's.
std::string model_checksum(const PairReference& reference) {
  Sha256 hash;
  for (const Path& path : files_of(reference.model)) add_sample(hash, path);
  if (reference.adapter.empty()) return hash.hex();
  for (const Path& path : files_of(reference.adapter)) add_sample(hash, path);
  return hash.hex();
}

PairScores scores_from(const Json& json, const char* split, std::size_t pairs, const std::string& where) {
  const Json& list = json_member(json, split, where);
  if (!list.is_array() || list.size() != pairs) fail("{}: {} does not hold {} pairs", where, split, pairs);
  PairScores scores;
  for (const Json& pair : list) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_number()) {
      fail("{}: {} holds something but pairs of numbers", where, split);
    }
    scores.push_back({pair[0].get<float>(), pair[1].get<float>()});
  }
  return scores;
}

std::size_t pairs_of(const DataLoader& loader, Split split) {
  return loader.pairs_in(split, 0, loader.window_count(split));
}

/// The member in which the file is of something else, or none.
std::optional<std::string> difference(const Json& json, const PairReference& reference,
                                      const std::optional<std::string>& model) {
  if (json_string(json, "data_sha256", "it") != reference.data_sha256) return "other pairs";
  if (json_string(json, "settings", "it") != reference.settings) return "other settings";
  if (model && json_string(json, "model_sha256", "it") != *model) return "another model";
  return std::nullopt;
}

std::map<Split, PairScores> read_scores(const Json& json, const DataLoader& loader,
                                        const std::string& where) {
  std::map<Split, PairScores> all;
  for (const auto& [split, name] : kSplits) {
    all.emplace(split, scores_from(json, name, pairs_of(loader, split), where));
  }
  return all;
}

std::map<Split, PairScores> compute(StepRunner& runner, const DataLoader& loader) {
  std::map<Split, PairScores> all;
  for (const auto& [split, name] : kSplits) {
    PairScores scores;
    if (pairs_of(loader, split) > 0) {
      std::optional<PairScores> found = runner.score_pairs(split);
      if (!found) throw Error("interrupted while the reference read the pairs", ExitCode::kInterrupted);
      scores = std::move(*found);
    }
    all.emplace(split, std::move(scores));
  }
  return all;
}

void write_scores(const Path& file, const PairReference& reference, const std::string& model,
                  const std::map<Split, PairScores>& all) {
  nlohmann::ordered_json json = {{"version", kReferenceVersion},
                                 {"model_sha256", model},
                                 {"data_sha256", reference.data_sha256},
                                 {"settings", reference.settings}};
  for (const auto& [split, name] : kSplits) json[name] = all.at(split);
  replace_file(file, json.dump() + "\n");
}

}  // namespace

std::string reference_settings(const TrainConfig& config, const model::GptConfig& model,
                               const vk::DeviceCaps& caps) {
  nlohmann::ordered_json json = {{"block_size", model.block_size},
                                 {"overlong", config.overlong},
                                 {"template", config.chat_template},
                                 {"base_dtype", config.base_dtype},
                                 {"dtype", dtype_name(activation_dtype(config, caps))},
                                 {"rope", {model.rope_base(), model.rope_factor, model.rope_scaling}}};
  return json.dump();
}

namespace {

/// What the file of the run says, or nothing where there is none yet.
std::optional<std::map<Split, PairScores>> stored_scores(const PairReference& reference,
                                                         const DataLoader& loader, bool goes_on,
                                                         const std::optional<std::string>& model) {
  const Path file = reference.directory / kReferenceFile;
  const std::string where = file.string();
  std::error_code error;
  const bool exists = std::filesystem::exists(file, error);
  if (goes_on && !exists) fail("{} is missing: what the reference said of the pairs is lost", where);
  if (!exists) return std::nullopt;
  const Json json = read_json_file(file, kMaxReferenceBytes);
  if (const std::uint64_t version = json_unsigned(json, "version", where); version != kReferenceVersion) {
    fail("{}: its version {} is not {}", where, version, kReferenceVersion);
  }
  const std::optional<std::string> other = difference(json, reference, model);
  if (!other) return read_scores(json, loader, where);
  if (goes_on) fail("{} was made with {}", where, *other);
  return std::nullopt;
}

/// Those of rank 0 on all.
void share(comm::Communicator& ranks, const DataLoader& loader, std::map<Split, PairScores>& all) {
  for (const auto& [split, name] : kSplits) {
    all[split].resize(pairs_of(loader, split));
    comm::broadcast(ranks, std::as_writable_bytes(std::span(all[split])), "scores of pairs");
  }
}

}  // namespace

std::map<Split, PairScores> pair_scores(const PairReference& reference, StepRunner& runner,
                                        const DataLoader& loader, bool goes_on, comm::Communicator* ranks) {
  const bool leads = ranks == nullptr || ranks->rank() == 0;
  std::optional<std::string> model;
  std::optional<std::map<Split, PairScores>> stored;
  const auto look = [&] {
    if (!leads) return;
    if (!goes_on) model = model_checksum(reference);
    stored = stored_scores(reference, loader, goes_on, model);
  };
  std::byte is_stored{0};
  if (ranks == nullptr) {
    look();
  } else {
    comm::together(*ranks, "the scores of a reference", look);
  }
  if (stored) is_stored = std::byte{1};
  if (ranks != nullptr) comm::broadcast(*ranks, std::span(&is_stored, 1), "scores of pairs");
  std::map<Split, PairScores> all = stored.value_or(std::map<Split, PairScores>{});
  if (is_stored == std::byte{0}) {
    log_info("the reference reads {} pairs",
             pairs_of(loader, Split::kTrain) + pairs_of(loader, Split::kValidation));
    all = compute(runner, loader);
    if (leads) write_scores(reference.directory / kReferenceFile, reference, *model, all);
  }
  if (ranks != nullptr) share(*ranks, loader, all);
  return all;
}

}  // namespace vkgpt::train
