#include "vkgpt/train/run_setup.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vkgpt/core/config_json.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/corpus/dataset.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/train/context_change.hpp"
#include "vkgpt/train/init_adapter.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/train/resume.hpp"

namespace vkgpt::train {
namespace {

/// Whether the tokenizer has words for `prompt`: a vocabulary of characters may lack one of them.
bool can_encode(const text::Tokenizer& tokenizer, const std::string& prompt) {
  try {
    return !tokenizer.encode(prompt).empty();
  } catch (const Error&) {
    return false;
  }
}

/// The first token of the data, where the tokenizer has no word for the default prompt.
std::string usable_prompt(const std::string& prompt, const TrainData& data) {
  if (can_encode(*data.tokenizer, prompt)) return prompt;
  text::Token first = 0;
  data.corpus.train().copy(0, {&first, 1});
  return data.tokenizer->decode({&first, 1});
}

/// What of a run's a changed setting is about, where the checkpoint decides that; "" where it does not. The
/// state of one optimizer may have the shape of another's, as that of one choice of parameters.
std::string_view what_stays(const SettingChange& change) {
  constexpr auto kOwn =
      std::to_array<std::pair<std::string_view, std::string_view>>({{"init_adapter", "adapters"},
                                                                    {"optimizer", "optimizer"},
                                                                    {"freeze", "choice of parameters"},
                                                                    {"keep_optimizer", "optimizer's state"},
                                                                    {"bpe_vocab_size", "tokenizer"}});
  // Files of tokenizers are compared with the checkpoint's, names of what is learned from a text are not.
  if (change.name == "tokenizer" && (change.after == "bpe" || change.after == "char")) return "tokenizer";
  const auto* const found = std::ranges::find(kOwn, change.name, [](const auto& pair) { return pair.first; });
  return found == kOwn.end() ? "" : found->second;
}

}  // namespace

RunSetup::RunSetup(const FieldSet& fields, model::GptConfig& model, TrainConfig& config,
                   std::span<const SettingChange> changes, StoreAccess access)
    : fields_(fields), model_(model), config_(config), access_(access) {
  model_.validate();
  config_.validate();
  if (config_.memmap_dataset.empty()) {
    check_data_path(config_.data_path);
  } else if (!config_.data_path.empty()) {
    fail_usage("--data_path and --memmap_dataset are both given: one of them is the data");
  }
  if (access_ == StoreAccess::kRead) {
    checkpoints_.emplace(config_.out_dir, access_);
  } else {
    checkpoints_.emplace(config_.out_dir, static_cast<int>(config_.keep_checkpoints));
  }
  find_origin();
  if (origin_) settle_shape(fields);
  settle_adapter();
  config_.validate(model_);
  if (config_.tokenizer == "bpe" && model_.vocab_size > 0 && !fields.was_set("bpe_vocab_size")) {
    config_.bpe_vocab_size = model_.vocab_size;
  }
  open_data();
  settle_packing();
  settle_vocabulary();
  settle_prompt(fields);
  if (checkpoint_) reached_ = check_continuation(changes);
}

void RunSetup::open_data() {
  const bool is_first_start = config_.chat_time == 0;
  if (is_first_start) config_.chat_time = std::time(nullptr);
  data_.emplace(open_train_data(config_, origin_));
  if (is_first_start && !data_->conversations) config_.chat_time = 0;
}

void RunSetup::write_settings() const {
  if (reached_ >= config_.max_steps) return;
  const Path directory(config_.out_dir);
  replace_file(directory / kEffectiveConfig, to_json(fields_).dump(2) + "\n");
  text::write_tokenizer_files(*data_->tokenizer, directory);
}

void RunSetup::find_origin() {
  if (config_.resume) {
    checkpoint_ = checkpoints_->newest();
    if (!checkpoint_) log_info("{} holds no checkpoint yet: starting from the beginning", config_.out_dir);
  } else if (!checkpoints_->empty()) {
    fail_usage("{} already holds checkpoints: give --resume to continue them, or another --out_dir",
               config_.out_dir);
  }
  if (checkpoint_) {
    origin_ = checkpoint_->directory;
  } else if (!config_.init_from.empty()) {
    origin_ = find_model_directory(config_.init_from);
  }
  settle_base();
}

/// A run directory may have another best checkpoint tomorrow: what the run begins with is named by its own
/// path, and adapters go on with the base that they were trained on.
void RunSetup::settle_base() {
  if (config_.init_from.empty()) return;
  if (!checkpoint_) {
    config_.init_from = origin_->string();
  } else if (std::filesystem::exists(*origin_ / model::kAdapterConfigFile)) {
    if (const std::optional<Path> base = model::find_base_path(*origin_)) config_.init_from = base->string();
  }
}

/// Flags may repeat the shape of the origin but not change it; but for the context of a new run, and how its
/// rotary positions are stretched.
void RunSetup::settle_shape(const FieldSet& fields) {
  model::GptConfig loaded = model::read_model_config(*origin_);
  if (!checkpoint_) {
    const std::int64_t before = loaded.block_size;
    loaded = with_changed_context(loaded, model_, fields);
    if (loaded.block_size != before) {
      log_info("block_size {} instead of the {} that {} has", loaded.block_size, before, origin_->string());
    }
  }
  const FieldSet shape(loaded);
  for (const Field& field : shape.fields()) {
    if (!fields.was_set(field.info.name) || fields.find(field.info.name)->text() == field.text()) continue;
    fail_usage("{} = {}: {} has {}; {} brings the model's shape", field.info.name,
               fields.find(field.info.name)->text(), origin_->string(), field.text(),
               checkpoint_ ? "--resume" : "--init_from");
  }
  model_ = loaded;
}

/// A run that goes on has its adapters in its checkpoint, and what they are in its settings.
void RunSetup::settle_adapter() {
  if (config_.init_adapter.empty() || checkpoint_) return;
  take_adapter_settings(fields_, model_, config_);
  config_.validate();
}

/// Cuts documents into windows; a long text has none.
void RunSetup::settle_packing() {
  if (config_.pack == "auto") config_.pack = data_->conversations ? "documents" : "none";
  const bool several = config_.pack == "documents";
  if (!several && !data_->conversations) {
    data_->corpus.check_length(model_.block_size, data_->name);
    return;
  }
  if (config_.curriculum)
    fail_usage("--curriculum reads a long text: it does not go with documents in windows");
  if (!data_->conversations) {
    const std::optional<text::Token> end = data_->tokenizer->end_of_text();
    if (!end) fail_usage("--pack documents: the tokenizer has no token that ends documents");
    data_->corpus.find_documents(*end);
  }
  const Overlong overlong = data_->conversations ? parse_overlong(config_.overlong) : Overlong::kSplit;
  packed_.emplace();
  if (data_->pairs) packed_->pairs = pairs_per_window(model_.block_size);
  packed_->replies_only = data_->conversations && config_.train_on == "responses";
  for (std::size_t split = 0; split < packed_->windows.size(); ++split) {
    Packing& packing = packed_->windows[split];
    const text::Documents& documents = data_->corpus.documents(split);
    if (data_->pairs) {
      packing = Packing::of_pairs(documents, model_.block_size, packed_->pairs, overlong, data_->name);
    } else {
      const text::Documents all{.spans = documents.spans, .counted = {}};  // every token teaches
      packing = {packed_->replies_only ? documents : all, model_.block_size, several, overlong, data_->name};
    }
    warn_of(packing.report(), text::kSplitNames[split], overlong);
  }
  if (packed_->windows[0].size() == 0) fail("{}: no document is left to train on", data_->name);
}

/// Says what did not fit.
void RunSetup::warn_of(const Packing::Report& report, std::string_view split, Overlong overlong) const {
  const auto& [cut, dropped, empty] = report;
  const std::string_view kind = data_->pairs ? "pairs" : "conversations";
  const std::int64_t most = data_->pairs ? model_.block_size : model_.block_size + 1;
  if (cut > 0 && overlong == Overlong::kTruncate) {
    log_warning("{}: {} {} of {} are longer than {} tokens and were cut", data_->name, cut, kind, split,
                most);
  }
  if (dropped > 0) {
    log_warning("{}: {} {} of {} are longer than {} tokens and were dropped", data_->name, dropped, kind,
                split, most);
  }
  if (empty > 0 && data_->conversations) {
    log_warning("{}: {} {} of {} have no reply in the window and were dropped", data_->name, empty, kind,
                split);
  }
}

/// V of a new model is the tokenizer's; a model that is continued may have more, as padding.
void RunSetup::settle_vocabulary() {
  const std::int64_t V = data_->tokenizer->vocab_size();
  if (model_.vocab_size != 0 && model_.vocab_size < V) {
    fail_usage("vocab_size is {} in the configuration, but {} has a vocabulary of {}", model_.vocab_size,
               data_->name, V);
  }
  if (!origin_ && model_.vocab_size > V) {
    log_info("vocab_size: {} instead of the configuration's {}, as many as {} has", V, model_.vocab_size,
             data_->name);
  }
  if (!origin_) model_.vocab_size = V;
}

/// A prompt of the user's that cannot be continued is an error now, not at the first sample.
void RunSetup::settle_prompt(const FieldSet& fields) {
  if (data_->conversations && (config_.sample_prompt.empty() || !fields.was_set("sample_prompt"))) {
    config_.sample_prompt.clear();  // those of the conversations
    return;
  }
  if (!fields.was_set("sample_prompt")) {
    config_.sample_prompt = usable_prompt(config_.sample_prompt, *data_);
  } else if (config_.sample_interval > 0 && data_->tokenizer->encode(config_.sample_prompt).empty()) {
    fail_usage(
        "sample_prompt is empty: a sample continues at least one token (--sample_interval 0 takes none)");
  }
}

/// Refuses, before anything is changed, a continuation that the run does not allow, and says what it changes.
/// The step that is reached.
std::int64_t RunSetup::check_continuation(std::span<const SettingChange> changes) const {
  for (const SettingChange& change : changes) {
    const std::string_view own = what_stays(change);
    if (own.empty()) continue;
    fail_usage("{} = {}: {} goes on with its own {}, leave it out", change.name, printable(change.after, 200),
               config_.out_dir, own);
  }
  const TrainerState state = resume_state(*checkpoint_, model_, config_, data_->corpus);
  for (const SettingChange& change : changes) {
    log_info("{}: {} -> {}", change.name, printable(change.before, 200), printable(change.after, 200));
    if (config_.curriculum && change.name == "max_steps") {
      log_info("--curriculum counts in shares of max_steps: contexts may be shorter again for a while");
    }
  }
  const auto step = static_cast<std::int64_t>(state.step);
  if (step >= config_.max_steps) {
    log_info("{} is at step {} already, --max_steps is {}: nothing is left to train", config_.out_dir, step,
             config_.max_steps);
  }
  return step;
}

}  // namespace vkgpt::train
