#include <filesystem>
#include <memory>
#include <optional>
#include <print>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/gguf_import.hpp"
#include "vkgpt/model/llmc_file.hpp"
#include "vkgpt/model/weight_files.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/train/checkpoint.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/io_progress.hpp"
#include "cli/model/open_model.hpp"
#include "cli/model/save_model.hpp"

namespace vkgpt::cli {
namespace {

struct ImportOptions {
  std::string out;
  std::string tokenizer;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Import";
    visit(
        FieldInfo{
            .name = "out", .group = kGroup, .help = "Model directory to write; it must not be there yet"},
        self.out);
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "gpt2, byte, or a file or directory; empty: the model's own, gpt2 for llm.c's"},
          self.tokenizer);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the summary as JSON"}, self.json);
  }
};

/// The model of `path`, an llm.c file or a directory, with the tokenizer that the options name or its own.
OpenModel open_source(const std::string& path, const ImportOptions& options) {
  std::error_code ignored;
  const bool is_file = std::filesystem::is_regular_file(path, ignored) && !model::is_gguf(path);
  if (!is_file && options.tokenizer.empty()) return open_model(path, false);
  OpenModel source{
      .directory = is_file ? Path(path) : train::find_model_directory(path),
      .model = is_file ? model::read_llmc_model(path) : model::load_model(train::find_model_directory(path)),
      .tokenizer = text::open_tokenizer(options.tokenizer.empty() ? "gpt2" : options.tokenizer)};
  check_vocabulary(source.directory, *source.tokenizer, source.model.params.config());
  return source;
}

/// The types in which the weights are stored, in safetensors' words.
std::string stored_types(const OpenModel& source) {
  std::error_code ignored;
  if (model::is_gguf(source.directory)) return model::GgufFile(source.directory).types();
  if (std::filesystem::is_directory(source.directory, ignored)) {
    return model::WeightFiles(source.directory, model::kModelWeightsFile).dtypes();
  }
  const auto bytes = static_cast<double>(std::filesystem::file_size(source.directory));
  return bytes / static_cast<double>(source.model.params.parameter_count()) < 3 ? "BF16" : "F32";
}

void print_summary(const OpenModel& source, const ImportOptions& options) {
  const model::GptConfig& config = source.model.params.config();
  const std::int64_t parameters = source.model.params.parameter_count();
  const std::string& type = source.model.format.model_type;
  const std::string_view written = model::hf_model_type(config);
  if (options.json) {
    const nlohmann::ordered_json record = {{"source", source.directory.string()},
                                           {"model_type", type},
                                           {"written_as", written},
                                           {"parameters", parameters},
                                           {"dtype", stored_types(source)},
                                           {"vocab_size", config.vocab_size},
                                           {"tokenizer_vocab_size", source.tokenizer->vocab_size()},
                                           {"block_size", config.block_size},
                                           {"out", options.out}};
    std::print("{}\n", record.dump());
    return;
  }
  std::print("{}{}: {:.2f} M parameters, {} to F32, vocabulary {}, context {}; written to {}\n", type,
             written == type ? "" : vkgpt::format(" as {}", written), static_cast<double>(parameters) / 1e6,
             stored_types(source), config.vocab_size, config.block_size, printable(options.out, 200));
}

/// About as many bytes as are read of the weights of `path` and written as fp32.
std::uint64_t transfer_of(const Path& path) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  const auto add = [&](const Path& file) {
    const std::string extension = file.extension();
    const std::uint64_t size = std::filesystem::file_size(file, ignored);
    const bool is_quantized = model::is_gguf(file);
    if (!ignored && (extension == ".safetensors" || extension == ".bin" || is_quantized)) {
      bytes += size + size * (is_quantized ? 7 : 2);
    }
  };
  if (!std::filesystem::is_directory(path, ignored)) {
    add(path);
    return bytes;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) add(entry.path());
  return bytes;
}

}  // namespace

int run_import(std::span<const std::string> args) {
  ImportOptions options;
  CommandLine command("import",
                      "Reads a model directory of Hugging Face's transformers, a GGUF file of llama.cpp, or "
                      "a GPT-2 of llm.c, "
                      "checks it "
                      "and writes it as one of ours: fp32, with its tokenizer.",
                      "DIR|FILE");
  command.add(options);
  if (!command.parse(args)) return 0;
  if (command.positionals().size() != 1 || options.out.empty()) {
    fail_usage("expected 'vkgpt import DIR --out NEW_DIR', or a .gguf or llm.c file instead of DIR");
  }
  std::error_code ignored;
  if (std::filesystem::exists(options.out, ignored)) {
    fail_usage("--out: {} is already there; choose another directory", options.out);
  }
  const std::string& path = command.positionals()[0];
  std::optional<IoProgress> progress(std::in_place, "importing", transfer_of(path));
  const OpenModel source = open_source(path, options);
  save_model(options.out, source.model, *source.tokenizer);
  progress.reset();
  print_summary(source, options);
  return 0;
}

}  // namespace vkgpt::cli
