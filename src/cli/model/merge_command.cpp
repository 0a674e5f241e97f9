#include <print>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/tensor_encoding.hpp"
#include "vkgpt/train/checkpoint.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/open_model.hpp"
#include "cli/model/save_model.hpp"

namespace vkgpt::cli {
namespace {

struct MergeOptions {
  std::string model;
  std::string adapter;
  std::string dtype = "f32";
  std::string out;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Merge";
    visit(FieldInfo{.name = "model",
                    .group = kGroup,
                    .help = "Model that the adapters belong to; empty: the one that they name"},
          self.model);
    visit(
        FieldInfo{
            .name = "adapter", .group = kGroup, .help = "Adapters: a PEFT directory, a run or a GGUF file"},
        self.adapter);
    visit(
        FieldInfo{
            .name = "dtype", .group = kGroup, .help = "Numbers in the new files", .choices = "f32|f16|bf16"},
        self.dtype);
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "Model directory to write"}, self.out);
  }
};

}  // namespace

int run_merge(std::span<const std::string> args) {
  MergeOptions options;
  CommandLine command("merge", "Adds adapters to their model and writes the sum as a model directory.");
  command.add(options);
  if (!command.parse(args)) return 0;
  if (options.adapter.empty()) fail_usage("--adapter is missing: give a PEFT directory or a run");
  if (options.out.empty()) fail_usage("--out is missing: name the directory to write");
  const ModelSource source = open_model_source(options.model, options.adapter, false);
  model::LoadedModel merged{.params = source.params, .arena = {}};
  merged.arena.resize(static_cast<std::size_t>(source.params.arena_elements()));
  for (const model::ParamSpec& spec : source.params.specs()) {
    source.weights->read(
        spec, 0, spec.numel() / model::row_width(spec),
        std::span(merged.arena)
            .subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel())));
  }
  model::merge_adapter(*source.adapter, source.params, merged.arena);
  save_model(options.out, merged, *source.tokenizer, model::encoding_from_name(options.dtype));
  std::print("{}: {} with {} in it\n", printable(options.out, 200), printable(source.directory.string(), 200),
             printable(options.adapter, 200));
  return 0;
}

}  // namespace vkgpt::cli
