#include <filesystem>
#include <format>
#include <memory>
#include <print>
#include <string>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/cli/command_line.hpp"
#include "vkgpt/cli/commands.hpp"
#include "vkgpt/cli/open_model.hpp"
#include "vkgpt/cli/save_model.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/model/weight_files.hpp"

namespace vkgpt::cli {
namespace {

struct ImportOptions {
  std::string out;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Import";
    visit(
        FieldInfo{
            .name = "out", .group = kGroup, .help = "Model directory to write; it must not be there yet"},
        self.out);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Print the summary as JSON"}, self.json);
  }
};

void print_summary(const OpenModel& source, const ImportOptions& options) {
  const model::GptConfig& config = source.model.params.config();
  const std::int64_t parameters = source.model.params.parameter_count();
  const std::string dtypes = model::WeightFiles(source.directory, model::kModelWeightsFile).dtypes();
  if (options.json) {
    const nlohmann::ordered_json record = {{"source", source.directory.string()},
                                           {"model_type", source.model.format.model_type},
                                           {"written_as", model::hf_model_type(config)},
                                           {"parameters", parameters},
                                           {"dtype", dtypes},
                                           {"vocab_size", config.vocab_size},
                                           {"tokenizer_vocab_size", source.tokenizer->vocab_size()},
                                           {"block_size", config.block_size},
                                           {"out", options.out}};
    std::print("{}\n", record.dump());
    return;
  }
  const std::string_view type = model::hf_model_type(config);
  std::print("{}{}: {:.2f} M parameters, {} to F32, vocabulary {}, context {}; written to {}\n",
             source.model.format.model_type,
             type == source.model.format.model_type ? "" : std::format(" as {}", type),
             static_cast<double>(parameters) / 1e6, dtypes, config.vocab_size, config.block_size,
             options.out);
}

}  // namespace

int run_import(std::span<const std::string> args) {
  ImportOptions options;
  CommandLine command(
      "import",
      "Reads a model directory of Hugging Face's transformers, checks it and writes it as one of "
      "ours: fp32, with its tokenizer.",
      "DIR");
  command.add(options);
  if (!command.parse(args)) return 0;
  if (command.positionals().size() != 1 || options.out.empty()) {
    fail_usage("expected 'vkgpt import DIR --out NEW_DIR'");
  }
  std::error_code ignored;
  if (std::filesystem::exists(options.out, ignored)) {
    fail_usage("--out: {} is already there; choose another directory", options.out);
  }
  const OpenModel source = open_model(command.positionals()[0], false);
  save_model(options.out, source.model, *source.tokenizer);
  print_summary(source, options);
  return 0;
}

}  // namespace vkgpt::cli
