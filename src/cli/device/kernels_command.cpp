#include <cstdint>
#include <filesystem>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/adapter.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/text/model_fields.hpp"
#include "vkgpt/train/plan_options.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/commands.hpp"
#include "cli/device/device_report.hpp"
#include "cli/device/kernel_report.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

struct KernelsOptions {
  std::string text_dir;
  bool stats = false;
  std::string dtype = "f32";
  std::int64_t slots = 1;
  std::int64_t ranks = 1;
  std::int64_t adapters = 0;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Kernels";
    visit(FieldInfo{.name = "stats",
                    .group = kGroup,
                    .help = "Ask the driver for registers, spills, occupancy, instructions, cycles"},
          self.stats);
    visit(FieldInfo{.name = "text_dir",
                    .group = kGroup,
                    .help = "Directory for the driver's own listings (disassembly) of each kernel"},
          self.text_dir);
    visit(text::weights_dtype_field(kGroup), self.dtype);
    visit(FieldInfo{.name = "slots", .group = kGroup, .help = "Texts that are continued together", .min = 1},
          self.slots);
    visit(FieldInfo{.name = "ranks", .group = kGroup, .help = "Ranks that train together", .min = 1},
          self.ranks);
    visit(FieldInfo{.name = "adapters",
                    .group = kGroup,
                    .help = "Adapters of rank 16 on c_fc of which a text chooses one",
                    .min = 0},
          self.adapters);
  }

  vk::PipelineCapture capture() const {
    if (!text_dir.empty()) return vk::PipelineCapture::kTexts;
    return stats ? vk::PipelineCapture::kStatistics : vk::PipelineCapture::kNothing;
  }
};

/// `count` adapters of the first layer's c_fc, without numbers.
std::vector<model::Adapter> some_adapters(std::int64_t count) {
  const model::Adapter adapter{
      .rank = 16, .scale = 1, .parts = {{.param = "h.0.mlp.c_fc.weight", .a = {}, .b = {}}}};
  return std::vector<model::Adapter>(static_cast<std::size_t>(count), adapter);
}

/// Of the train plan and of the decode plan.
plan::KernelList list_kernels(const model::GptConfig& model, const train::TrainConfig& config,
                              const KernelsOptions& options, vk::Target target) {
  // Nothing is allocated: a model too large for the device has its kernels too.
  target.caps.max_allocation_bytes = UINT64_MAX;
  plan::KernelList kernels;
  const model::GptParams params(model, train::adaptation(config));
  const model::RankOptions ranks = train::rank_options(config, 0, static_cast<int>(options.ranks));
  plan::add_kernels(kernels,
                    train::train_schedule(params, config, model.block_size, target, false, ranks).plan);
  const model::GptParams whole(model);
  plan::add_kernels(
      kernels, model::build_decode_plan(whole, target, model::decode_options(options.dtype, options.slots),
                                        some_adapters(options.adapters)));
  return kernels;
}

std::vector<BuiltKernel> build_kernels(const vk::Device& device, const plan::KernelList& list,
                                       const vk::ContextOptions& options, vk::PipelineCapture capture) {
  vk::ShaderCompiler compiler(options.cache_dir, options.shader_dir);
  // Without a directory: pipelines from a cache have no build time, and with some drivers no statistics.
  vk::PipelineCache pipelines(device, compiler, {}, capture);
  plan::build_kernels(list, pipelines);
  std::vector<BuiltKernel> kernels;
  for (const auto& [key, use] : list) {
    const vk::Pipeline& pipeline = pipelines.get(key);
    BuiltKernel kernel{key, use, pipeline.spirv_bytes, 1e3 * pipeline.build_seconds};
    if (capture != vk::PipelineCapture::kNothing) {
      kernel.executables = vk::pipeline_executables(device, pipeline.pipeline, capture);
    }
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

/// DIR/017-linear_forward-0-2.txt: number of the kernel as in the table, of its executable, of the text.
void write_texts(const std::filesystem::path& directory, std::span<const BuiltKernel> kernels) {
  make_directories(directory);
  std::size_t written = 0;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    for (std::size_t e = 0; e < kernels[i].executables.size(); ++e) {
      const vk::PipelineExecutable& executable = kernels[i].executables[e];
      for (std::size_t t = 0; t < executable.texts.size(); ++t) {
        const std::string name = vkgpt::format("{:03}-{}-{}-{}.txt", i, kernels[i].key.stem, e, t);
        write_file(directory / name,
                   vkgpt::format("{} {}\n{}: {}\n\n{}", kernels[i].key.stem, vk::variant_text(kernels[i].key),
                                 executable.name, executable.texts[t].name, executable.texts[t].text));
        ++written;
      }
    }
  }
  std::print(stderr, "{} listings in {}\n", written, printable(directory.string(), 200));
}

void explain_missing(const vk::DeviceCaps& caps, std::span<const BuiltKernel> kernels) {
  if (!caps.pipeline_statistics) {
    std::print(stderr, "{} reports no statistics (VK_KHR_pipeline_executable_properties)\n", caps.driver);
    return;
  }
  std::string names;
  for (const std::string& name : missing_figures(kernels)) names += (names.empty() ? "" : ", ") + name;
  if (!names.empty()) std::print(stderr, "{} does not report: {}\n", caps.driver, names);
}

}  // namespace

int run_kernels(std::span<const std::string> args) {
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig config;
  KernelsOptions options;
  RunOptions run;
  CommandLine command("kernels",
                      "Builds every pipeline that training and generating with these flags need, and lists "
                      "them. Nothing is executed.");
  command.add(preset).add(model).add(config).add(options).add(run);
  if (!command.parse(args)) return 0;
  model.vocab_size = vocabulary_of(preset);
  model.validate();
  config.validate();
  if (config.batch_size == 0) fail_usage("--batch_size auto asks for memory: give a number here");

  const vk::ContextOptions context = context_options(run);
  const vk::Instance instance(context.validation);
  const vk::Device device(instance, vk::choose_device(instance, context));
  const vk::DeviceCaps& caps = device.caps();
  const plan::KernelList list = list_kernels(model, config, options, device.target());
  const std::vector<BuiltKernel> kernels = build_kernels(device, list, context, options.capture());
  instance.check_messages();

  std::print(stderr, "device: {} ({})\n", caps.name, caps.driver);
  if (!options.text_dir.empty()) write_texts(options.text_dir, kernels);
  if (options.stats) explain_missing(caps, kernels);
  if (!run.json) {
    std::print("{}{} pipelines\n", kernel_table(kernels, options.stats), kernels.size());
    return 0;
  }
  const nlohmann::ordered_json record = {
      {"preset", preset.preset},
      {"activation_dtype", dtype_name(train::activation_dtype(config, caps))},
      {"device", target_json(device.target())},
      {"kernels", kernels_json(kernels)}};
  std::print("{}\n", record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  return 0;
}

}  // namespace vkgpt::cli
