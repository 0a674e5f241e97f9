#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/model/adapter_files.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/serve/serve.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/context_length.hpp"
#include "cli/model/open_model.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

/// The last part of a path that names something.
std::string name_of(const std::string& path) {
  const Path whole = Path(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

struct NamedAdapters {
  std::vector<std::string> names;
  std::vector<model::Adapter> adapters;
};

/// Those of "NAME=PATH,NAME=PATH". `taken` is the model's own name.
NamedAdapters read_adapters(const std::string& list, const std::string& taken,
                            const model::GptParams& params) {
  NamedAdapters named;
  for (std::size_t start = 0; start < list.size();) {
    const std::size_t end = std::min(list.find(',', start), list.size());
    const std::string item = list.substr(start, end - start);
    start = end + 1;
    const std::size_t equals = item.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == item.size()) {
      fail_usage("--adapter: expected NAME=PATH, found '{}'", printable(item));
    }
    std::string name = item.substr(0, equals);
    if (name == taken || name == "base" || std::ranges::contains(named.names, name)) {
      fail_usage("--adapter: the name '{}' is taken", printable(name));
    }
    named.adapters.push_back(
        model::open_adapter(train::find_model_directory(item.substr(equals + 1)), params));
    named.names.push_back(std::move(name));
  }
  return named;
}

}  // namespace

int run_serve(std::span<const std::string> args) {
  serve::ServeConfig config;
  serve::ListenConfig listen;
  text::SamplerConfig sampling;
  RunOptions run;
  CommandLine command(
      "serve",
      "Serves a model over HTTP: OpenAI's interface (/v1/chat/completions, /v1/completions,\n"
      "/v1/models), a chat page at /, /health and /metrics. The sampling flags are defaults.");
  command.add(config).add(listen).add(sampling).add(run);
  if (!command.parse(args)) return 0;
  if (run.json) fail_usage("--json: a server has no summary");
  ModelSource open = open_model_source(config.model, {}, config.use_ema);
  if (config.served_name.empty()) config.served_name = name_of(config.model);
  const NamedAdapters named = read_adapters(config.adapter, config.served_name, open.params);
  const auto new_device = [&] { return std::make_unique<vk::Context>(context_options(run)); };
  std::unique_ptr<vk::Context> first = new_device();
  open.params = with_context(open.params, config.block_size, open.params.config().block_size,
                             model::decode_options(config.dtype, config.slots), first->caps());
  install_interrupt_handlers();
  const auto open_device = [&] { return first != nullptr ? std::move(first) : new_device(); };
  serve::serve(config, listen, sampling,
               {.params = open.params,
                .weights = *open.weights,
                .tokenizer = *open.tokenizer,
                .name = config.served_name,
                .adapters = named.adapters,
                .adapter_names = named.names},
               open_device, [&](const std::string& address) {
                 log_info("{} at {}; chat there, or set {}/v1 as the base URL of an OpenAI client",
                          config.served_name, address, address);
               });
  return static_cast<int>(ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
