#include "vkgpt/text/corpus/corpus.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/dataset.hpp"
#include "vkgpt/text/corpus/text_source.hpp"

#include "text/corpus/encode_pipeline.hpp"
#include "text/corpus/file_kind.hpp"
#include "text/corpus/mark_file.hpp"
#include "text/corpus/unpacker.hpp"

namespace vkgpt::text {
namespace {

/// The next stretch of `text` that can be encoded on its own, about a job long; it is cut off.
std::string_view cut_job(std::string_view& text, const Tokenizer& tokenizer) {
  std::size_t cut = text.size();
  for (std::size_t tried = kJobBytes; tried < text.size(); tried *= 2) {
    const std::size_t safe = tokenizer.safe_prefix(text.substr(0, tried));
    if (safe == 0) continue;
    cut = safe;
    break;
  }
  const std::string_view job = text.substr(0, cut);
  text.remove_prefix(cut);
  return job;
}

/// Adds size and both ends of a token file, which tell it from another without reading all of it.
void hash_ends(Sha256& hash, const TokenFile& file) {
  constexpr std::size_t kEnd = std::size_t{1} << 18;
  const std::size_t end = std::min(kEnd, file.size());
  std::vector<std::byte> bytes(end * static_cast<std::size_t>(file.token_bytes()));
  hash.update(vkgpt::format("{} ", file.size()));
  for (const std::size_t first : {std::size_t{0}, file.size() - end}) {
    file.read_raw(first, bytes);
    hash.update(bytes);
  }
}

/// Both ends of a shard: a file of another tokenizer or byte order shows there, and a large one costs no
/// more.
void check_ends(const TokenView& tokens) {
  std::vector<Token> sample(std::min<std::size_t>(tokens.size(), 4096));
  tokens.copy(0, sample);
  tokens.copy(tokens.size() - sample.size(), sample);
}

enum class ShardUse { kTrain, kValidation, kTest };

/// By a word of its name, letters between anything else: "fineweb_val_000000.bin", not "retrieval.bin".
ShardUse use_of(const Path& path) {
  const std::string name = path.stem().string();
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (auto begin = name.begin(); begin != name.end();) {
    begin = std::find_if(begin, name.end(), is_letter);
    const auto end = std::find_if_not(begin, name.end(), is_letter);
    const std::string_view word(begin, end);
    if (word == "test") return ShardUse::kTest;
    if (word == "val" || word == "valid" || word == "validation") return ShardUse::kValidation;
    begin = end;
  }
  return ShardUse::kTrain;
}

std::vector<Path> shards_of(const std::string& pattern) {
  std::error_code error;
  if (!std::filesystem::is_directory(pattern, error)) return files_matching(pattern);
  std::vector<Path> files;
  for (const Path& path : list_directory(pattern)) {
    if (path.extension() == ".bin") files.push_back(path);
  }
  if (files.empty())
    fail("{} holds no .bin files: they are what token shards are called", printable(pattern, 200));
  return files;
}

}  // namespace

namespace {

/// The texts of a file of JSON Lines, each on lines of its own.
std::string records_of(const Path& path, const std::string& where) {
  TextSourceConfig config;
  config.inputs = {path.string()};
  TextSource source(std::move(config));
  std::string text;
  std::uint64_t records = 0;
  while (const std::optional<TextPiece> piece = source.next()) {
    text += piece->text;
    if (!piece->ends_document) continue;
    ++records;
    if (!text.ends_with('\n')) text += '\n';
  }
  if (text.empty()) fail("text {} holds no records with a \"text\"", where);
  log_info("{}: the texts of {} JSON records ('vkgpt data prepare' separates them as documents)", where,
           records);
  return text;
}

}  // namespace

std::string read_bytes(const Path& path, std::uint64_t max_bytes) {
  std::string text = read_file(path, max_bytes);
  if (is_packed(text)) text = unpack_file(path, max_bytes);
  if (const std::string_view kind = foreign_kind(text); !kind.empty()) {
    fail("text {} is {}", printable(path.string(), 200), kind);
  }
  return text;
}

std::string read_text(const Path& path) {
  if (path.empty()) {
    fail_usage("no text is given: use --data_path FILE ('vkgpt data get tinyshakespeare' fetches one)");
  }
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    fail("text {} does not exist", printable(path.string(), 200));
  }
  if (std::filesystem::is_directory(status)) {
    fail("text {} is a directory, expected a file", printable(path.string(), 200));
  }
  const std::string where = printable(path.string(), 200);
  if (is_json_lines(path)) return records_of(path, where);
  std::string text = read_bytes(path, std::uint64_t{4} << 30);
  if (const std::string_view kind = what_is_no_text(text); !kind.empty()) fail("text {} is {}", where, kind);
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  if (text.empty()) fail("text {} is empty", printable(path.string(), 200));
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string::npos) {
    fail(
        "text {} is not UTF-8: invalid byte 0x{:02x} at byte {} (convert it first, e.g. with iconv -t UTF-8)",
        printable(path.string(), 200), static_cast<unsigned>(static_cast<unsigned char>(text[invalid])),
        invalid);
  }
  return text;
}

TextSplit split_text(std::string_view text, double val_fraction) {
  auto cut = static_cast<std::size_t>(static_cast<double>(text.size()) * (1.0 - val_fraction));
  cut = std::min(cut, text.size());
  while (cut > 0 && cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80) --cut;
  return {.train = text.substr(0, cut), .validation = text.substr(cut)};
}

TokenView Corpus::view(const Part& part) const {
  if (!part.pieces.empty()) return {part.pieces, vocab_size_};
  if (!part.narrow.empty()) return std::span(part.narrow);
  return std::span<const Token>(part.wide);
}

void Corpus::encode_part(std::string_view text, const Tokenizer& tokenizer, Part& part,
                         const std::string& where) {
  std::string_view rest = text;
  EncodePipeline pipeline(tokenizer, [&]() -> std::optional<EncodeJob> {
    if (rest.empty()) return std::nullopt;
    EncodeJob job;
    const std::string_view stretch = cut_job(rest, tokenizer);
    job.parts.push_back({.text = std::string(stretch),
                         .split = kTrainSplit,
                         .ends_document = false,
                         .continues = stretch.data() != text.data()});
    job.place = where;
    if (stretch.data() != text.data())
      job.place += vkgpt::format(", from byte {} on", stretch.data() - text.data());
    return job;
  });
  while (const auto job = pipeline.take()) {
    const std::vector<Token>& tokens = job->tokens[kTrainSplit];
    if (token_bytes(tokenizer.vocab_size()) == 2) {
      part.narrow.insert(part.narrow.end(), tokens.begin(), tokens.end());
    } else {
      part.wide.insert(part.wide.end(), tokens.begin(), tokens.end());
    }
  }
}

Corpus Corpus::encode(std::string_view text, const Tokenizer& tokenizer, double val_fraction,
                      const std::string& where) {
  const TextSplit split = split_text(text, val_fraction);
  Corpus corpus;
  corpus.vocab_size_ = tokenizer.vocab_size();
  corpus.encode_part(split.train, tokenizer, corpus.parts_[kTrainSplit], where);
  corpus.encode_part(split.validation, tokenizer, corpus.parts_[kValidationSplit], where);
  corpus.fingerprint_ = sha256(text);
  return corpus;
}

void Corpus::add_piece(Part& part, const TokenFile& file, std::size_t begin, std::size_t end) const {
  if (begin == end) return;
  const std::size_t position =
      part.pieces.empty() ? 0 : part.pieces.back().position + part.pieces.back().count;
  part.pieces.push_back({.file = &file, .first = begin, .count = end - begin, .position = position});
  TokenPiece alone = part.pieces.back();
  alone.position = 0;
  check_ends(TokenView(std::span(&alone, 1), vocab_size_));
}

Corpus Corpus::open_dataset(const Path& directory, const Tokenizer& tokenizer) {
  const DatasetManifest manifest = read_dataset_manifest(directory);
  if (manifest.tokenizer != tokenizer.fingerprint() || manifest.vocab_size != tokenizer.vocab_size()) {
    fail(
        "{} was made with another tokenizer ({} tokens) than the model's ({}): prepare it again with 'vkgpt "
        "data "
        "prepare --tokenizer DIR', the model's directory",
        printable(directory.string(), 200), manifest.vocab_size, tokenizer.vocab_size());
  }
  Corpus corpus;
  Sha256 hash;
  corpus.vocab_size_ = manifest.vocab_size;
  for (std::size_t i = 0; i < corpus.parts_.size(); ++i) {
    for (const DatasetShard& shard : manifest.splits[i].shards) {
      const TokenFile& file = corpus.files_.emplace_back(directory / shard.file);
      if (file.size() != shard.tokens) {
        fail("{} has {} tokens, but {} speaks of {}: prepare the data again", file.path().string(),
             file.size(), kDatasetFile, shard.tokens);
      }
      corpus.add_piece(corpus.parts_[i], file, 0, file.size());
      hash.update(shard.sha256);
      if (shard.marks_sha256.empty()) continue;
      append_marks(directory / mark_file_name(shard.file), shard.tokens, corpus.parts_[i].documents);
      hash.update(shard.marks_sha256);
    }
  }
  corpus.fingerprint_ = hash.hex();
  return corpus;
}

Corpus Corpus::of_documents(std::array<TokenizedDocuments, 2> splits, std::int64_t vocab_size) {
  Corpus corpus;
  corpus.vocab_size_ = vocab_size;
  Sha256 hash;
  for (std::size_t i = 0; i < splits.size(); ++i) {
    Part& part = corpus.parts_[i];
    hash.update(std::as_bytes(std::span(splits[i].tokens)));
    std::string counted;
    for (const bool is_counted : splits[i].documents.counted) counted += is_counted ? '1' : '0';
    hash.update(counted);
    part.wide = std::move(splits[i].tokens);
    part.documents = std::move(splits[i].documents);
  }
  corpus.fingerprint_ = hash.hex();
  return corpus;
}

void Corpus::find_documents(Token end) {
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  constexpr std::uint32_t kMostTokens = 1 << 30;  // of a document
  for (std::size_t split = 0; split < parts_.size(); ++split) {
    const TokenView tokens = split == 0 ? train() : validation();
    std::vector<DocumentSpan>& spans = parts_[split].documents.spans;
    if (!spans.empty()) continue;
    bool begins = true;
    std::vector<Token> block;
    for (std::size_t at = 0; at < tokens.size(); at += block.size()) {
      block.resize(std::min(kBlock, tokens.size() - at));
      tokens.copy(at, block);
      for (std::size_t i = 0; i < block.size(); ++i) {
        if (begins) spans.push_back({.begin = at + i, .tokens = 0});
        ++spans.back().tokens;
        begins = block[i] == end || spans.back().tokens == kMostTokens;
      }
    }
  }
}

Corpus Corpus::open_shards(const std::string& pattern, std::int64_t vocab_size, double val_fraction) {
  Corpus corpus;
  corpus.vocab_size_ = vocab_size;
  std::size_t train = 0;
  bool has_validation = false;
  for (const Path& path : shards_of(pattern)) {
    if (use_of(path) == ShardUse::kTest) {
      log_info("{} is left out: it is named as a test's", printable(path.string(), 200));
      continue;
    }
    const TokenFile& file = corpus.files_.emplace_back(path);
    if (!file.has_header() && token_bytes(vocab_size) > 2) {
      fail("{} has no header and so 16 bits a token, too few for a vocabulary of {}: {}",
           printable(path.string(), 200), vocab_size, kTokenFormats);
    }
    if (use_of(path) == ShardUse::kValidation) {
      has_validation = true;
    } else {
      train += file.size();
    }
  }
  if (corpus.files_.empty()) fail("{} names test files only", printable(pattern, 200));
  // Validation's share of one long sequence: its end.
  const auto kept =
      has_validation ? train : static_cast<std::size_t>(static_cast<double>(train) * (1.0 - val_fraction));
  std::size_t position = 0;
  for (const TokenFile& file : corpus.files_) {
    if (use_of(file.path()) == ShardUse::kValidation) {
      corpus.add_piece(corpus.parts_[kValidationSplit], file, 0, file.size());
      continue;
    }
    const std::size_t border = std::clamp(kept, position, position + file.size()) - position;
    corpus.add_piece(corpus.parts_[kTrainSplit], file, 0, border);
    corpus.add_piece(corpus.parts_[kValidationSplit], file, border, file.size());
    position += file.size();
  }
  Sha256 hash;
  for (const TokenFile& file : corpus.files_) hash_ends(hash, file);
  corpus.fingerprint_ = hash.hex();
  return corpus;
}

void Corpus::check_length(std::int64_t block_size, const std::string& where) const {
  const auto check = [&](const TokenView& tokens, std::string_view part) {
    if (static_cast<std::int64_t>(tokens.size()) > block_size) return;
    fail_usage(
        "{}: the {} part has {} tokens, block_size {} needs at least {}: use a longer text or a smaller "
        "--block_size",
        where, part, tokens.size(), block_size, block_size + 1);
  };
  check(train(), "training");
  if (validation().size() > 0) check(validation(), "validation");
}

}  // namespace vkgpt::text
