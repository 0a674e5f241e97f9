#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/text/corpus/dataset.hpp"
#include "vkgpt/text/corpus/text_source.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// How `vkgpt data prepare` makes shards of texts.
struct PrepareConfig {
  std::string out;
  std::string tokenizer = "gpt2";
  std::int64_t bpe_vocab_size = 8192;
  std::int64_t shard_tokens = 100'000'000;
  double val_fraction = 0.1;
  std::string text_field = "text";
  std::string input_format = "auto";
  std::string document_separator;
  bool special = false;
  bool skip_bad_lines = false;
  bool chat = false;
  std::string chat_template = "auto";
  std::string bad_data = "error";
  std::int64_t threads = 0;

  template <typename Visitor, typename Self>
  static void visit_chat(Visitor& visit, Self& self) {
    constexpr auto kGroup = "Preparation";
    visit(
        FieldInfo{.name = "chat",
                  .group = kGroup,
                  .help = "The inputs are conversations: written by the tokenizer's chat template, with what "
                          "assistants say beside the shards"},
        self.chat);
    visit(FieldInfo{.name = "template",
                    .group = kGroup,
                    .help = "With --chat, how turns are written; auto: by the model's own template",
                    .choices = "auto|own|chatml|llama3|plain"},
          self.chat_template);
    visit(FieldInfo{.name = "bad_data",
                    .group = kGroup,
                    .help = "With --chat, conversations that cannot be used: refuse them, or pass over them",
                    .choices = "error|skip"},
          self.bad_data);
  }

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Preparation";
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "Directory for the shards"}, self.out);
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "gpt2, byte, char, bpe (trained on the inputs), a file or directory"},
          self.tokenizer);
    visit(FieldInfo{.name = "bpe_vocab_size",
                    .group = kGroup,
                    .help = "Tokens that --tokenizer bpe learns",
                    .min = 257,
                    .max = 1 << 20},
          self.bpe_vocab_size);
    visit(FieldInfo{.name = "shard_tokens",
                    .group = kGroup,
                    .help = "Tokens of a shard; the last one may have fewer",
                    .min = 1,
                    .max = 1 << 30},
          self.shard_tokens);
    visit(FieldInfo{.name = "val_fraction",
                    .group = kGroup,
                    .help = "Share for validation: the end of each text file (up to 64 of them), else whole "
                            "documents, drawn by their contents",
                    .min = 0,
                    .max = 0.9},
          self.val_fraction);
    visit(FieldInfo{.name = "text_field", .group = kGroup, .help = "The text of a JSON Lines record"},
          self.text_field);
    visit(FieldInfo{.name = "input_format",
                    .group = kGroup,
                    .help = "auto: JSON Lines where the name ends in .jsonl, .ndjson or .json",
                    .choices = "auto|text|jsonl"},
          self.input_format);
    visit(FieldInfo{.name = "document_separator",
                    .group = kGroup,
                    .help = "What ends a document inside a text file, such as <|endoftext|>"},
          self.document_separator);
    visit(FieldInfo{.name = "special",
                    .group = kGroup,
                    .help = "Names of special tokens in the text become those tokens"},
          self.special);
    visit(FieldInfo{.name = "skip_bad_lines",
                    .group = kGroup,
                    .help = "Pass over lines of JSON Lines that cannot be read, and say how many"},
          self.skip_bad_lines);
    visit_chat(visit, self);
    visit(FieldInfo{.name = "threads",
                    .group = kGroup,
                    .help = "Threads that encode; auto: one for each processor",
                    .min = 0,
                    .max = 1024,
                    .zero_name = "auto"},
          self.threads);
  }
};

struct PrepareProgress {
  std::uint64_t bytes = 0;  ///< of the inputs that are done
  std::optional<std::uint64_t> total_bytes;
  std::uint64_t tokens = 0;
};

struct PrepareResult {
  DatasetManifest manifest;
  bool interrupted = false;      ///< the same call goes on with it
  bool was_there = false;        ///< it was complete already
  std::uint64_t resumed_at = 0;  ///< bytes of the inputs that an earlier call had done
};

/// Makes a tokenizer from the texts, or opens one; called when none of an interrupted preparation is there.
using MakeTokenizer = std::function<std::unique_ptr<Tokenizer>()>;

/// Encodes the texts into shards `train_000000.bin`, `val_000000.bin`, ... of llm.c's format in
/// `config.out`, the tokenizer's files and, last and atomically, `dataset.json` beside them. Every document
/// ends with the end-of-text token where the tokenizer has one.
///
/// An interrupted or killed preparation goes on from its journal (`prepare.json`) and ends with the same
/// bytes. Throws `Error` for inputs that cannot be read and where the directory holds something else.
PrepareResult prepare_dataset(const PrepareConfig& config, TextSource& source,
                              const MakeTokenizer& make_tokenizer,
                              const std::function<void(const PrepareProgress&)>& on_progress);

/// The same of files of conversations (see `read_chat_data`), which are held in memory: beside each shard
/// lies its sidecar of marks. A killed one is begun anew by the same call.
PrepareResult prepare_chat_dataset(const PrepareConfig& config, std::span<const Path> files,
                                   const Tokenizer& tokenizer);

/// The least number of plain text files that are not cut but drawn whole.
inline constexpr std::size_t kManyTextFiles = 65;

/// Whether a document that begins with `text` is for validation. Its first 4,096 bytes decide: equal
/// documents come into the same split.
bool draw_validation(std::string_view text, double val_fraction);

}  // namespace vkgpt::text
