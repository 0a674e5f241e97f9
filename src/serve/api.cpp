#include "serve/api.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <string_view>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/log.hpp"

#include "serve/request_error.hpp"
#include "serve/web_files.hpp"

namespace vkgpt::serve {
namespace {

constexpr std::int64_t kDefaultNewTokens = 16;  // of /v1/completions, as at OpenAI
constexpr std::chrono::seconds kDrainTime{30};

constexpr std::array<std::string_view, 5> kEndpoints = {"/v1/chat/completions", "/v1/completions",
                                                        "/v1/models", "/health", "/metrics"};

/// A name for counts: one of few.
std::string endpoint_of(const std::string& path) {
  const auto* endpoint = std::ranges::find(kEndpoints, path);
  if (endpoint != kEndpoints.end()) return path;
  return path.starts_with("/v1/models/") ? "/v1/models" : "page";
}

/// A path as it was meant (RFC 3986, section 2.1); what is no "%" and two digits stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* const digits = text.data() + i + 1;
    const bool is_code = text[i] == '%' && i + 2 < text.size() &&
                         std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    decoded += is_code ? static_cast<char>(byte) : text[i];
    if (is_code) i += 2;
  }
  return decoded;
}

[[noreturn]] void refuse(int status, const std::string& code, const std::string& message,
                         const std::string& param = {}) {
  throw RequestError(status, "invalid_request_error", code, message, param);
}

std::int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Api::Api(ApiModel model, const text::SamplerConfig& sampling, const ListenConfig& listen)
    : model_(std::move(model)),
      sampling_(sampling),
      access_(listen.host, listen.api_key),
      created_(unix_time()),
      salt_(random_number()) {}

void Api::connect(HttpServer& server, Engine& engine) {
  server_ = &server;
  engine_ = &engine;
}

void Api::respond(ExchangeId exchange, HttpResponse response) {
  const auto endpoint = endpoints_.find(exchange);
  if (endpoint != endpoints_.end()) {
    statistics_.count_request(endpoint->second, response.status);
    endpoints_.erase(endpoint);
  }
  add_safe_headers(response);
  server_->respond(exchange, std::move(response));
}

void Api::handle(ExchangeId exchange, HttpRequest request) {
  endpoints_[exchange] = endpoint_of(request.path);
  try {
    access_.check_origin(request);
    route(exchange, request);
  } catch (const RequestError& error) {
    HttpResponse response{.status = error.status(), .body = error.body()};
    if (error.status() == 429) response.headers.emplace_back("Retry-After", "1");
    if (error.status() == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    respond(exchange, std::move(response));
  } catch (const Error& error) {
    respond(exchange,
            {.status = 400,
             .body = RequestError(400, "invalid_request_error", "invalid_value", error.what()).body()});
  }
}

void Api::route(ExchangeId exchange, const HttpRequest& request) {
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  const bool is_chat = request.path == "/v1/chat/completions";
  if (is_chat || request.path == "/v1/completions") {
    if (request.method != "POST") refuse(405, "method_not_allowed", request.path + " takes POST");
    access_.check_key(request);
    return start(exchange, request, is_chat);
  }
  if (!is_get) {
    const bool is_there =
        endpoint_of(request.path) != "page" || request.path == "/" || web_file(request.path).status == 200;
    if (is_there) refuse(405, "method_not_allowed", request.path + " takes GET");
    refuse(404, "not_found", "there is no " + request.path);
  }
  if (request.path == "/health") {
    const bool is_ready = engine_->state().is_ready;
    return respond(exchange,
                   {.status = is_ready ? 200 : 503,
                    .body = is_ready ? R"({"status":"ok"})" : R"({"status":"the device was lost"})"});
  }
  if (request.path == "/metrics") {
    access_.check_key(request);
    return respond(exchange,
                   {.content_type = "text/plain; version=0.0.4",
                    .body = statistics_.text(engine_->state(), model_.slots, server_->connections())});
  }
  if (request.path == "/v1/models" || request.path.starts_with("/v1/models/")) {
    access_.check_key(request);
    return respond(exchange, {.body = models(request.path)});
  }
  if (request.path.starts_with("/v1/")) refuse(404, "not_found", "there is no " + request.path);
  respond(exchange, request.path == "/" ? page("chat") : web_file(request.path));
}

Json Api::describe(const std::string& name) const {
  return {{"id", name},
          {"object", "model"},
          {"created", created_},
          {"owned_by", "vkgpt"},
          {"context_length", model_.block_size},
          {"sampling",
           {{"temperature", sampling_.temperature},
            {"top_p", sampling_.top_p},
            {"top_k", sampling_.top_k},
            {"repetition_penalty", sampling_.repetition_penalty}}}};
}

std::int32_t Api::adapter_of(const std::string& name) const {
  const auto adapter = std::ranges::find(model_.adapters, name);
  if (adapter != model_.adapters.end()) return static_cast<std::int32_t>(adapter - model_.adapters.begin());
  if (name == model_.name || (name == "base" && !model_.adapters.empty())) return -1;
  std::string known =
      (model_.adapters.empty() ? "there is only the model '" : "there are the models '") + model_.name + "'";
  for (const std::string& each : model_.adapters) known += ", '" + each + "'";
  refuse(404, "model_not_found", known, "model");
}

std::string Api::models(const std::string& path) const {
  const auto dump = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  if (path == "/v1/models") {
    Json all = Json::array({describe(model_.name)});
    for (const std::string& name : model_.adapters) all.push_back(describe(name));
    return dump({{"object", "list"}, {"data", all}});
  }
  const std::string name =
      percent_decoded(std::string_view(path).substr(std::string_view("/v1/models/").size()));
  adapter_of(name);
  return dump(describe(name));
}

std::vector<std::vector<text::Token>> Api::prompts_of(const CompletionRequest& request) const {
  if (request.is_chat) {
    if (!model_.chat) {
      refuse(400, "invalid_value", "this model takes /v1/completions only: " + model_.chat.error(),
             "messages");
    }
    try {
      return {model_.chat->encode({.messages = request.messages, .variables = request.template_variables})
                  .tokens};
    } catch (const Error& error) {  // what the template refuses is the client's
      refuse(400, "invalid_value", error.what(), "messages");
    }
  }
  std::vector<std::vector<text::Token>> prompts;
  for (const Prompt& prompt : request.prompts) {
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      prompts.push_back(model_.tokenizer.encode_prompt(*text));
    } else {
      prompts.push_back(std::get<std::vector<text::Token>>(prompt));
    }
    const std::int64_t most = model_.tokenizer.vocab_size();
    if (std::ranges::any_of(prompts.back(), [&](text::Token token) { return token >= most; })) {
      refuse(400, "invalid_value", vkgpt::format("tokens of 'prompt' must be below {}", most), "prompt");
    }
    if (prompts.back().empty()) refuse(400, "invalid_value", "'prompt' must not be empty", "prompt");
  }
  return prompts;
}

/// How many tokens there may be after a prompt of `length`.
std::int64_t Api::new_tokens(const CompletionRequest& request, std::size_t length) const {
  const std::int64_t room = model_.block_size - static_cast<std::int64_t>(length);
  const std::string param = request.is_chat ? "messages" : "prompt";
  if (room < 1) {
    refuse(400, "context_length_exceeded",
           vkgpt::format("This model's maximum context length is {} tokens, and the prompt has {}.",
                         model_.block_size, length),
           param);
  }
  const std::int64_t wanted = request.max_tokens.value_or(request.is_chat ? room : kDefaultNewTokens);
  if (wanted > room && request.max_tokens) {
    refuse(
        400, "context_length_exceeded",
        vkgpt::format("This model's maximum context length is {} tokens; the prompt has {} and {} more are "
                      "asked for.",
                      model_.block_size, length, wanted),
        param);
  }
  return std::min(wanted, room);
}

Generation Api::generation_of(const CompletionRequest& request) const {
  Generation generation{.prompts = prompts_of(request),
                        .choices = request.choices,
                        .sampling = request.sampling,
                        .stops = request.stops,
                        .wants_logprobs = request.wants_logprobs,
                        .likeliest = request.likeliest};
  // Without a seed the prompts are drawn apart; with one each gives what it gives alone.
  for (const auto& prompt : generation.prompts) {
    generation.seeds.push_back(request.seed ? *request.seed : random_number());
    generation.max_new_tokens.push_back(new_tokens(request, prompt.size()));
  }
  if (request.is_chat) {
    for (const std::string& stop : model_.chat->stops()) generation.stops.push_back(stop);
  }
  return generation;
}

void Api::start(ExchangeId exchange, const HttpRequest& request, bool is_chat) {
  if (!request.content_type.starts_with("application/json")) {
    refuse(415, "invalid_content_type", "the Content-Type must be application/json");
  }
  const CompletionRequest wish = parse_completion_request(request.body, is_chat, sampling_);
  const std::string name = wish.model.empty() ? model_.name : wish.model;
  const std::int32_t adapter = adapter_of(name);
  Generation generation = generation_of(wish);
  generation.adapter = adapter;
  const GenerationId id{static_cast<std::uint64_t>(exchange)};
  std::size_t prompt_tokens = 0;
  for (const auto& prompt : generation.prompts) prompt_tokens += prompt.size();
  CompletionReply reply(
      wish,
      vkgpt::format("{}-{:016x}", is_chat ? "chatcmpl" : "cmpl", salt_ + static_cast<std::uint64_t>(id)),
      name, unix_time(), generation.prompts.size(), prompt_tokens);
  if (!engine_->submit(id, std::move(generation))) {
    throw RequestError(429, "rate_limit_error", "rate_limit_exceeded",
                       "too many texts are waiting; try again");
  }
  active_.emplace(id, Active{.reply = std::move(reply), .streams = wish.streams, .endpoint = request.path});
}

void Api::abandoned(ExchangeId exchange) {
  const GenerationId id{static_cast<std::uint64_t>(exchange)};
  endpoints_.erase(exchange);
  if (active_.erase(id) > 0) engine_->cancel(id);
}

void Api::advanced(GenerationId id, Piece piece) {
  server_->post([this, id, piece = std::move(piece)] { advance(id, piece); });
}

void Api::failed(GenerationId id, std::string why) {
  server_->post([this, id, why = std::move(why)] { fail(id, why); });
}

void Api::advance(GenerationId id, const Piece& piece) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  Active& active = found->second;
  const ExchangeId exchange{static_cast<std::uint64_t>(id)};
  std::string events;
  if (!active.has_begun) {
    active.has_begun = true;
    statistics_.note_first_token(std::chrono::duration<double>(Clock::now() - active.since).count());
    if (active.streams) {
      HttpResponse head{.content_type = "text/event-stream; charset=utf-8"};
      add_safe_headers(head);
      server_->begin(exchange, std::move(head));
      events = active.reply.first_events();
    }
  }
  events += active.reply.add(piece);
  const bool is_complete = active.reply.is_complete();
  if (active.streams) {
    if (is_complete) events += active.reply.last_events();
    server_->append(exchange, std::move(events));
  }
  if (!is_complete) return;
  if (active.streams) {
    statistics_.count_request(active.endpoint, 200);
    endpoints_.erase(exchange);
    server_->finish(exchange);
  } else {
    respond(exchange, {.body = active.reply.body()});
  }
  active_.erase(found);
}

void Api::fail(GenerationId id, const std::string& why) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  const ExchangeId exchange{static_cast<std::uint64_t>(id)};
  const bool has_begun = found->second.streams && found->second.has_begun;
  active_.erase(found);
  const std::string body = RequestError(500, "server_error", "engine_failed", why).body();
  if (!has_begun) return respond(exchange, {.status = 500, .body = body});
  endpoints_.erase(exchange);
  server_->append(exchange, event_of(body));
  server_->finish(exchange);
}

void Api::tick() {
  if (!interrupted()) return;
  if (!drain_since_) {
    drain_since_ = Clock::now();
    if (!active_.empty()) log_info("{} requests are finished first", active_.size());
    server_->drain();
  }
  const bool is_late = Clock::now() - *drain_since_ > kDrainTime;
  // The last answers are given a moment to be written.
  if (is_late || (active_.empty() && server_->connections() == 0)) server_->stop();
}

}  // namespace vkgpt::serve
