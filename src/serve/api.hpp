#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vkgpt/core/json.hpp"
#include "vkgpt/serve/listen_config.hpp"
#include "vkgpt/text/chat/chat_format.hpp"

#include "serve/access.hpp"
#include "serve/completion_reply.hpp"
#include "serve/engine.hpp"
#include "serve/http_server.hpp"
#include "serve/statistics.hpp"

namespace vkgpt::serve {

/// What the interface needs to know of the model.
struct ApiModel {
  std::string name;
  const text::Tokenizer& tokenizer;
  std::expected<text::ChatFormat, std::string> chat;  // or why there are no chats with it
  std::int64_t block_size;
  std::size_t slots;
  std::vector<std::string> adapters = {};  // by which requests may choose
};

/// OpenAI's interface, the chat page, /health and /metrics over an engine. All of it is in the server's
/// thread.
class Api : public HttpHandler, public EngineListener {
 public:
  Api(ApiModel model, const text::SamplerConfig& sampling, const ListenConfig& listen);

  /// Before the server runs; both outlive this.
  void connect(HttpServer& server, Engine& engine);
  /// After it ran: whoever is left gets no answer.
  void disconnect() { active_.clear(); }

  void handle(ExchangeId exchange, HttpRequest request) override;
  void abandoned(ExchangeId exchange) override;
  void tick() override;

  void advanced(GenerationId id, Piece piece) override;
  void failed(GenerationId id, std::string why) override;

 private:
  using Clock = std::chrono::steady_clock;

  /// A completion that is being worked on.
  struct Active {
    CompletionReply reply;
    bool streams;
    std::string endpoint;
    Clock::time_point since = Clock::now();
    bool has_begun = false;  // the first token is there
  };

  void route(ExchangeId exchange, const HttpRequest& request);
  void start(ExchangeId exchange, const HttpRequest& request, bool is_chat);
  Generation generation_of(const CompletionRequest& request) const;
  std::vector<std::vector<text::Token>> prompts_of(const CompletionRequest& request) const;
  std::int64_t new_tokens(const CompletionRequest& request, std::size_t length) const;
  void advance(GenerationId id, const Piece& piece);
  void fail(GenerationId id, const std::string& why);
  void respond(ExchangeId exchange, HttpResponse response);
  std::string models(const std::string& path) const;
  Json describe(const std::string& name) const;
  /// The adapter that a model's name stands for; -1 for the model alone. Refuses others.
  std::int32_t adapter_of(const std::string& name) const;

  ApiModel model_;
  text::SamplerConfig sampling_;
  Access access_;
  Statistics statistics_;
  HttpServer* server_ = nullptr;
  Engine* engine_ = nullptr;
  std::map<GenerationId, Active> active_;
  std::map<ExchangeId, std::string> endpoints_;  // of what is not answered yet
  std::int64_t created_;
  std::uint64_t salt_;  // of ids
  std::optional<Clock::time_point> drain_since_;
};

}  // namespace vkgpt::serve
