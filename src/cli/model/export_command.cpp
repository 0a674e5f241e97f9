#include <cstdint>
#include <filesystem>
#include <format>
#include <functional>
#include <print>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/units.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/adapter_files.hpp"
#include "vkgpt/model/gguf_adapter.hpp"
#include "vkgpt/model/gguf_model.hpp"
#include "vkgpt/model/hf_config.hpp"
#include "vkgpt/model/llmc_file.hpp"
#include "vkgpt/model/tensor_encoding.hpp"
#include "vkgpt/text/model_fields.hpp"
#include "vkgpt/text/tokenizer/gguf_vocabulary.hpp"
#include "vkgpt/train/checkpoint.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/open_model.hpp"
#include "cli/model/polled_file_system.hpp"
#include "cli/model/save_model.hpp"

namespace vkgpt::cli {
namespace {

using model::TensorEncoding;

struct ExportOptions {
  std::string model;
  std::string adapter;
  std::string format = "hf";
  std::string dtype = "f32";
  std::string out;
  std::int64_t block_size = 0;
  bool use_ema = false;
  bool overwrite = false;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Export";
    visit(
        FieldInfo{.name = "model",
                  .group = kGroup,
                  .help = "Run directory, checkpoint or model directory; empty: the model that the adapters "
                          "name"},
        self.model);
    visit(FieldInfo{.name = "adapter",
                    .group = kGroup,
                    .help = "Adapters to merge into it, or with --format gguf_adapter to write beside it: a "
                            "PEFT directory, a run or a GGUF file"},
          self.adapter);
    visit(
        FieldInfo{.name = "format",
                  .group = kGroup,
                  .help = "Directory for transformers, file for llama.cpp (also of adapters alone) or llm.c",
                  .choices = "hf|gguf|gguf_adapter|llmc"},
        self.format);
    visit(FieldInfo{.name = "dtype",
                    .group = kGroup,
                    .help = "Numbers in the file: hf f32, f16, bf16; gguf all; llmc f32, bf16",
                    .choices = "f32|f16|bf16|q8_0"},
          self.dtype);
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "File or directory to write"}, self.out);
    visit(FieldInfo{.name = "block_size",
                    .group = kGroup,
                    .help = "Context to write, longer too where positions are rotary; 0: the model's",
                    .min = 0,
                    .max = 1 << 20},
          self.block_size);
    visit(text::use_ema_field(kGroup), self.use_ema);
    visit(FieldInfo{.name = "overwrite", .group = kGroup, .help = "Replace a file that is already there"},
          self.overwrite);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the summary as JSON"}, self.json);
  }
};

void check_options(const ExportOptions& options) {
  if (options.out.empty()) fail_usage("--out is missing: name the file or directory to write");
  if (options.format == "hf" && options.dtype == "q8_0") {
    fail_usage("--dtype q8_0 is one of llama.cpp's: with --format hf choose f32, f16 or bf16");
  }
  if (options.format == "llmc" && (options.dtype == "f16" || options.dtype == "q8_0")) {
    fail_usage("llm.c does not read {}: with --format llmc choose f32 or bf16", options.dtype);
  }
  if (options.format == "gguf_adapter" && (options.adapter.empty() || options.dtype != "f32")) {
    fail_usage("--format gguf_adapter writes the f32 factors of --adapter: give that, and no other --dtype");
  }
  if (options.format != "hf" && !Path(options.out).has_filename()) {
    fail_usage("--out {} is the name of a directory: --format {} writes a file", options.out, options.format);
  }
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(options.out, ignored);
  if (!std::filesystem::exists(status)) return;
  if (options.format == "hf" || !std::filesystem::is_regular_file(status)) {
    fail("{} is already there: choose another --out", options.out);
  }
  if (!options.overwrite) fail("{} is already there: --overwrite replaces it", options.out);
}

/// What is told of an export.
struct Exported {
  std::string_view architecture;
  std::uint64_t bytes = 0;
};

/// Writes beside `path` and renames, so that what is there stays until the new is whole. `fill` gives the
/// architecture.
template <typename Fill>
Exported write_whole(const Path& path, const Fill& fill) {
  PolledFileSystem file_system;
  Exported exported;
  const Path temporary = temporary_beside(path);
  make_directories(path.parent_path());
  try {
    OutputFile file(temporary, file_system);
    exported.architecture = fill(file);
    exported.bytes = file.size();
    file.finish();
    rename_path(temporary, path);
  } catch (...) {
    file_system.remove(temporary);
    throw;
  }
  sync_directory(path.parent_path());
  return exported;
}

/// Makes the model's context that of --block_size, or says that training left it shorter than it was.
void set_context(model::LoadedModel& model, std::int64_t block_size) {
  const model::GptConfig& config = model.params.config();
  if (block_size == 0) {
    const std::int64_t original = config.original_context();
    if (original > config.block_size) {
      // Where positions are stretched, that is the context from before.
      log_info("context: {} tokens, as in training; the model began with {}{} (--block_size {})",
               config.block_size, original, config.rope_scaling == "none" ? "" : " or more", original);
    }
  } else if (block_size <= config.block_size) {
    model::shorten_context(model, block_size);
  } else if (!config.has_rope()) {
    fail_usage("--block_size {}: the model learned {} positions and has no more", block_size,
               config.block_size);
  } else {
    model.params = model::GptParams(model::with_longer_context(config, block_size));
  }
}

Exported export_gguf(const OpenModel& source, TensorEncoding encoding, const Path& path) {
  const model::GptConfig& config = source.model.params.config();
  model::gguf_architecture(config);  // of all that may not fit, this is the first thing to know
  text::GgufVocabulary vocabulary = text::gguf_vocabulary(*source.tokenizer, config.vocab_size);
  const model::GgufDescription description{.name = path.stem().string(),
                                           .vocabulary = std::move(vocabulary.entries),
                                           .vocabulary_rows = vocabulary.rows};
  return write_whole(path, [&](OutputFile& file) {
    const model::GgufSummary summary = model::write_gguf_model(file, source.model, encoding, description);
    if (summary.not_quantized > 0) {
      log_info("{} of {} tensors are f16: q8_0 needs rows of a multiple of 32", summary.not_quantized,
               summary.tensors);
    }
    return summary.architecture;
  });
}

Exported export_gguf_adapter(const ExportOptions& options) {
  const Path adapters = train::find_model_directory(options.adapter);
  const model::GptParams params(model::read_model_config(directory_of_model(options.model, adapters)));
  const model::Adapter adapter = model::open_adapter(adapters, params);
  const Path path(options.out);
  return write_whole(path, [&](OutputFile& file) {
    return model::write_gguf_adapter(file, adapter, params, path.stem().string());
  });
}

Exported export_llmc(const OpenModel& source, TensorEncoding encoding, const Path& path) {
  return write_whole(path, [&](OutputFile& file) {
    model::write_llmc_model(file, source.model, encoding);
    return std::string_view("gpt2");
  });
}

Exported export_hf(const OpenModel& source, TensorEncoding encoding, const Path& path) {
  const std::string_view type = model::hf_model_type(source.model.params.config());
  if (type == "vkgpt")
    log_warning("no class of transformers computes this architecture; only vkgpt reads it");
  save_model(path, source.model, *source.tokenizer, encoding);
  Exported exported{.architecture = type, .bytes = 0};
  for (const Path& file : list_directory(path)) exported.bytes += std::filesystem::file_size(file);
  return exported;
}

}  // namespace

int run_export(std::span<const std::string> args) {
  ExportOptions options;
  CommandLine command("export", "Writes a model for transformers, llama.cpp or llm.c, with its tokenizer.");
  command.add(options);
  if (!command.parse(args)) return 0;
  check_options(options);
  install_interrupt_handlers();
  if (options.format == "gguf_adapter") {
    const Exported exported = export_gguf_adapter(options);
    if (options.json) {
      const nlohmann::ordered_json record = {{"adapter", options.adapter},
                                             {"format", options.format},
                                             {"architecture", exported.architecture},
                                             {"bytes", exported.bytes},
                                             {"out", options.out}};
      std::print("{}\n", record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
      return 0;
    }
    std::print("{}: adapters of {}, {}\n", printable(options.out, 200), exported.architecture,
               format_bytes(exported.bytes));
    return 0;
  }
  OpenModel source = open_model(options.model, options.use_ema, {}, options.adapter);
  set_context(source.model, options.block_size);
  const TensorEncoding encoding = model::encoding_from_name(options.dtype);
  const auto& write = options.format == "gguf"   ? export_gguf
                      : options.format == "llmc" ? export_llmc
                                                 : export_hf;
  const Exported exported = write(source, encoding, options.out);
  if (options.json) {
    const nlohmann::ordered_json record = {{"model", source.directory.string()},
                                           {"format", options.format},
                                           {"architecture", exported.architecture},
                                           {"dtype", options.dtype},
                                           {"parameters", source.model.params.parameter_count()},
                                           {"bytes", exported.bytes},
                                           {"out", options.out}};
    std::print("{}\n", record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return 0;
  }
  std::print("{}: {} in {}, {:.2f} M parameters, {}\n", printable(options.out, 200), exported.architecture,
             options.dtype, static_cast<double>(source.model.params.parameter_count()) / 1e6,
             format_bytes(exported.bytes));
  return 0;
}

}  // namespace vkgpt::cli
