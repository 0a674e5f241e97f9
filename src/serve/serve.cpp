#include "vkgpt/serve/serve.hpp"

#include <algorithm>
#include <expected>
#include <string>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/model_directory.hpp"

#include "serve/api.hpp"
#include "serve/machine.hpp"

namespace vkgpt::serve {
namespace {

/// How conversations are written, or why none can be: a model without is served for completions.
std::expected<text::ChatFormat, std::string> open_chat_format(const text::Tokenizer& tokenizer,
                                                              const std::string& name) {
  try {
    return text::ChatFormat(tokenizer, name);
  } catch (const Error& error) {
    if (error.exit_code() == ExitCode::kUsage) throw;
    log_warning("chat requests will be refused: {}; --template chooses another", error.what());
    return std::unexpected(error.what());
  }
}

}  // namespace

void serve(const ServeConfig& config, const ListenConfig& listen, const text::SamplerConfig& sampling,
           const ServedModel& served, const std::function<std::unique_ptr<vk::Context>()>& open_device,
           const std::function<void(const std::string& address)>& started) {
  const model::DecodeOptions options = model::decode_options(config.dtype, config.slots);
  const auto slots = static_cast<std::size_t>(config.slots);
  Api api({.name = served.name,
           .tokenizer = served.tokenizer,
           .chat = open_chat_format(served.tokenizer, config.chat_template),
           .block_size = served.params.config().block_size,
           .slots = slots,
           .adapters = served.adapter_names},
          sampling, listen);
  HttpServer server(listen.host, static_cast<std::uint16_t>(listen.port), api);
  const OpenMachine open = [&] {
    return std::make_unique<Machine>(
        open_device(),
        MachineModel{served.params, served.weights, served.adapters, served.tokenizer.vocab_size()}, options);
  };
  log_info("building kernels; the address follows");
  Engine engine(open, served.tokenizer, slots, static_cast<std::size_t>(config.queue), api);
  api.connect(server, engine);
  const bool is_v6 = listen.host.contains(':') && !listen.host.starts_with('[');
  started(vkgpt::format("http://{}:{}", is_v6 ? "[" + listen.host + "]" : listen.host, server.port()));
  server.run();
  api.disconnect();
}

}  // namespace vkgpt::serve
