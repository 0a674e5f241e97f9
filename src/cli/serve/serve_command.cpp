#include <memory>
#include <span>
#include <string>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/serve/serve.hpp"
#include "vkgpt/vk/context.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/model/open_model.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

/// The last part of a path that names something.
std::string name_of(const std::string& path) {
  const Path whole = Path(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
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
  OpenModel open = open_model(config.model, config.use_ema);
  if (config.block_size > 0) model::shorten_context(open.model, config.block_size);
  if (config.served_name.empty()) config.served_name = name_of(config.model);
  install_interrupt_handlers();
  const auto open_device = [&] { return std::make_unique<vk::Context>(context_options(run)); };
  serve::serve(config, listen, sampling,
               {.model = open.model, .tokenizer = *open.tokenizer, .name = config.served_name}, open_device,
               [&](const std::string& address) {
                 log_info("{} at {}; chat there, or set {}/v1 as the base URL of an OpenAI client",
                          config.served_name, address, address);
               });
  return static_cast<int>(ExitCode::kSuccess);
}

}  // namespace vkgpt::cli
