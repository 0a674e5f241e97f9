#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/lfs_pointer.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gguf_import.hpp"

#include "text/tokenizer/gguf_tokenizer.hpp"
#include "text/tokenizer/tokenizer_files.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {

namespace {

constexpr std::uint64_t kMaxFileBytes = 64 << 20;
constexpr const char* kAddedTokensFile = "added_tokens.json";
constexpr const char* kChatTemplateFile = "chat_template.jinja";
constexpr const char* kChatTemplateDirectory = "additional_chat_templates";

bool is_file(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// Templates beside the default one, in the order of their names.
std::vector<Path> chat_template_files(const Path& directory) {
  std::error_code ignored;
  std::vector<Path> files;
  if (!std::filesystem::is_directory(directory / kChatTemplateDirectory, ignored)) return files;
  for (const Path& path : list_directory(directory / kChatTemplateDirectory)) {
    if (path.extension() == ".jinja" && is_file(path)) files.push_back(path);
  }
  std::ranges::sort(files);
  return files;
}

std::string read_tokenizer_file(const Path& path) {
  std::string contents = read_file(path, kMaxFileBytes);
  refuse_lfs_pointer(path, contents);
  return contents;
}

/// Templates in files of their own, which count before those in others.
void read_chat_template_files(const Path& directory, SpecialNames& names) {
  if (is_file(directory / kChatTemplateFile)) {
    names.chat_template = read_tokenizer_file(directory / kChatTemplateFile);
  }
  for (const Path& path : chat_template_files(directory)) {
    const std::string name = path.stem().string();
    std::erase_if(names.other_chat_templates, [&](const auto& other) { return other.first == name; });
    names.other_chat_templates.emplace_back(name, read_tokenizer_file(path));
  }
}

/// What the files beside a vocabulary say; the first that says something counts.
SpecialNames read_special_names(const Path& directory, const model::TokenIds& ids) {
  SpecialNames names;
  for (const char* name : {kTokenizerConfigFile, kSpecialTokensFile}) {
    const Path path = directory / name;
    if (!is_file(path)) continue;
    SpecialNames more = parse_special_names(read_tokenizer_file(path), path.string());
    if (names.end_of_text.empty()) names.end_of_text = std::move(more.end_of_text);
    if (names.begin_of_text.empty()) names.begin_of_text = std::move(more.begin_of_text);
    if (names.pad.empty()) names.pad = std::move(more.pad);
    if (names.added.empty()) names.added = std::move(more.added);
    if (!names.add_begin) names.add_begin = more.add_begin;
    if (!names.add_end) names.add_end = more.add_end;
    if (names.chat_template.empty()) names.chat_template = std::move(more.chat_template);
    if (names.other_chat_templates.empty()) names.other_chat_templates = std::move(more.other_chat_templates);
    for (auto& [key, token] : more.named_tokens) {
      if (!std::ranges::contains(names.named_tokens, key, &std::pair<std::string, std::string>::first)) {
        names.named_tokens.emplace_back(std::move(key), std::move(token));
      }
    }
  }
  read_chat_template_files(directory, names);
  const Path added = directory / kAddedTokensFile;
  if (names.added.empty() && is_file(added)) {
    names.added = parse_added_tokens(read_tokenizer_file(added), added.string());
  }
  names.end_ids.assign(ids.ends.begin(), ids.ends.end());
  return names;
}

/// Puts templates that have files in a directory of their own into `tokenizer_config.json`, as a list by
/// name: checkpoints have no directories in them.
void gather_chat_templates(TextRules& rules) {
  std::string config = "{}";
  std::erase_if(rules.files, [&](const TokenizerFile& file) {
    if (file.name == kTokenizerConfigFile) config = file.contents;
    return file.name == kTokenizerConfigFile || file.name == kChatTemplateFile;
  });
  auto root = nlohmann::ordered_json::parse(config);
  root["chat_template"] = nlohmann::ordered_json::array();
  const auto add = [&](const std::string& name, const std::string& source) {
    root["chat_template"].push_back({{"name", name}, {"template", source}});
  };
  if (!rules.chat_template.empty()) add("default", rules.chat_template);
  for (const auto& [name, source] : rules.other_chat_templates) add(name, source);
  rules.files.push_back({kTokenizerConfigFile,
                         root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"});
}

/// Adds what is handed on with the tokenizer of a directory.
void add_neighbours(const Path& directory, const model::TokenIds& ids, Tokenizer& tokenizer) {
  constexpr std::array kHandedOn = {kTokenizerConfigFile,        kVocabFile,       kMergesFile,
                                    kSpecialTokensFile,          kAddedTokensFile, kChatTemplateFile,
                                    model::kGenerationConfigFile};
  TextRules rules = tokenizer.rules();
  for (const char* name : kHandedOn) {
    const Path path = directory / name;
    if (is_file(path)) rules.files.push_back({name, read_tokenizer_file(path)});
  }
  if (!chat_template_files(directory).empty()) gather_chat_templates(rules);
  const auto pad = rules.ids.pad;
  rules.ids = ids;
  if (!rules.ids.pad) rules.ids.pad = pad;
  tokenizer.set_rules(std::move(rules));
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const Path& path) {
  const Path directory = path.parent_path();
  const model::TokenIds ids = model::read_token_ids(directory);
  auto tokenizer =
      parse_tokenizer_json(read_tokenizer_file(path), read_special_names(directory, ids), path.string());
  add_neighbours(directory, ids, *tokenizer);
  return tokenizer;
}

std::unique_ptr<Tokenizer> load_tokenizer_directory(const Path& directory) {
  if (is_file(directory / kTokenizerFile)) return load_tokenizer_json(directory / kTokenizerFile);
  const Path vocab = directory / kVocabFile;
  const Path merges = directory / kMergesFile;
  if (is_file(vocab) && is_file(merges)) {
    const model::TokenIds ids = model::read_token_ids(directory);
    auto tokenizer = parse_vocab_and_merges(read_tokenizer_file(vocab), read_tokenizer_file(merges),
                                            read_special_names(directory, ids), directory.string());
    add_neighbours(directory, ids, *tokenizer);
    return tokenizer;
  }
  fail("{} has no {}, nor {} and {}: is it a directory that 'vkgpt train' or Hugging Face wrote?",
       directory.string(), kTokenizerFile, kVocabFile, kMergesFile);
}

/// Vocabularies in forms of their own, whose rules stand in no file beside them.
void refuse_other_form(const Path& path) {
  const std::string name = path.filename().string();
  const char* form = path.extension() == ".model" ? "SentencePiece's own file"
                     : name == "tekken.json"      ? "Mistral's Tekken"
                     : name == "qwen.tiktoken"    ? "Qwen's first ranks, without their split pattern"
                                                  : nullptr;
  if (form == nullptr) return;
  fail("{} is {}, which is not read: give the model's {}, which AutoTokenizer's save_pretrained writes",
       path.string(), form, kTokenizerFile);
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const Path& path) {
  if (!is_file(path)) return load_tokenizer_directory(path);
  refuse_other_form(path);
  if (model::is_gguf(path)) return read_gguf_tokenizer(model::GgufFile(path));
  if (path.extension() == ".tiktoken") {
    return parse_tiktoken(read_tokenizer_file(path), path.filename().string(), path.string());
  }
  if (path.filename() == kVocabFile || path.filename() == kMergesFile) {
    return load_tokenizer_directory(path.parent_path());
  }
  return load_tokenizer_json(path);
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name) {
  if (name.empty()) fail_usage("no tokenizer is given: gpt2, byte, or a directory or file with one");
  if (name == "gpt2") return make_gpt2_tokenizer();
  if (name == "byte") return make_byte_tokenizer();
  std::error_code ignored;
  if (!std::filesystem::exists(name, ignored)) {
    fail("there is no tokenizer '{}': give gpt2, byte, a directory with a tokenizer.json, or a file",
         printable(name));
  }
  return load_tokenizer(name);
}

void write_tokenizer_files(const Tokenizer& tokenizer, const Path& directory) {
  std::error_code ignored;
  const std::vector<TokenizerFile> files = tokenizer.files();
  if (std::filesystem::exists(std::filesystem::symlink_status(directory, ignored))) {
    for (const bool is_last : {false, true}) {
      for (const TokenizerFile& file : files) {
        if ((file.name == kTokenizerFile) == is_last) replace_file(directory / file.name, file.contents);
      }
    }
    return;
  }
  const Path named = directory.has_filename() ? directory : directory.parent_path();
  const Path temporary = temporary_beside(named);
  make_directories(temporary);
  try {
    for (const TokenizerFile& file : files) write_file(temporary / file.name, file.contents);
    sync_directory(temporary);
    rename_path(temporary, named);
  } catch (...) {
    std::filesystem::remove_all(temporary, ignored);
    throw;
  }
  sync_directory(named.parent_path());
}

}  // namespace vkgpt::text
