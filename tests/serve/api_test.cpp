// OpenAI's interface over a small model, from the client's side.

#include "serve/api.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/loaded_model.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/vk/device.hpp"

#include "serve/machine.hpp"
#include "serve/test_client.hpp"
#include "support/paths.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::serve {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::body_of;
using test::http_get;
using test::http_post;
using test::status_of;
using test::TestClient;
using testing::HasSubstr;

VolkDeviceTable g_real;
std::atomic<int> g_submits_left = 1 << 30;

VkResult submit_until_lost(VkQueue queue, std::uint32_t count, const VkSubmitInfo2* infos, VkFence fence) {
  if (--g_submits_left <= 0) return VK_ERROR_DEVICE_LOST;
  return g_real.vkQueueSubmit2(queue, count, infos, fence);
}

std::unique_ptr<vk::Context> open_device() {
  vk::ContextOptions options;
  if (const char* device = std::getenv("VKGPT_DEVICE")) options.device = device;
  options.cache_dir = test::program().parent_path() / "test-cache";
  auto context = std::make_unique<vk::Context>(options);
  g_real = context->device().table();
  g_submits_left = 1 << 30;
  context->device().mutable_table().vkQueueSubmit2 = submit_until_lost;
  return context;
}

/// A server of a model with random weights.
class Server {
 public:
  explicit Server(std::size_t slots = 4, std::size_t queue = 8, const std::string& key = "",
                  std::vector<std::string> adapters = {}, const std::string& reason_for_no_chat = "")
      : tokenizer_(text::CharTokenizer::from_text("\n !:?AHUabdefghilmnorstuwxyz", "letters")),
        model_(make_model()) {
    const ListenConfig listen{.api_key = key};
    for (std::size_t i = 0; i < adapters.size(); ++i) adapters_.push_back(make_adapter(i));
    std::expected<text::ChatFormat, std::string> chat = std::unexpected(reason_for_no_chat);
    if (reason_for_no_chat.empty()) chat = text::ChatFormat(tokenizer_, "plain");
    api_.emplace(ApiModel{.name = "tiny",
                          .tokenizer = tokenizer_,
                          .chat = std::move(chat),
                          .block_size = model_.params.config().block_size,
                          .slots = slots,
                          .adapters = std::move(adapters)},
                 text::SamplerConfig{}, listen);
    server_.emplace("127.0.0.1", 0, *api_);
    const OpenMachine open = [this, slots] {
      return std::make_unique<Machine>(
          open_device(), MachineModel{model_.params, source_, adapters_, tokenizer_.vocab_size()},
          model::DecodeOptions{.slots = static_cast<std::int64_t>(slots)});
    };
    engine_.emplace(open, tokenizer_, slots, queue, *api_);
    api_->connect(*server_, *engine_);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~Server() {
    server_->stop();
    thread_.join();
    api_->disconnect();
    engine_.reset();
  }

  std::uint16_t port() const { return server_->port(); }
  Engine& engine() { return *engine_; }
  std::string post(const std::string& path, const Json& body, const std::string& headers = "") {
    return ask(port(), http_post(path, body.dump(), headers));
  }
  Json complete(const Json& body) { return Json::parse(body_of(post("/v1/completions", body))); }

 private:
  model::LoadedModel make_model() const {
    model::GptConfig config = test::tiny_gpt2_config();
    config.vocab_size = tokenizer_.vocab_size();
    config.block_size = 256;
    model::GptParams params(config);
    std::vector<float> arena = model::initial_parameters(params, 3);
    for (float& weight : arena) weight *= 4;
    return {.params = std::move(params), .arena = std::move(arena)};
  }

  /// Of all c_proj.
  model::Adapter make_adapter(std::size_t number) const {
    model::Adapter adapter{.rank = 1, .scale = 1, .parts = {}};
    for (const model::ParamSpec& spec : model_.params.specs()) {
      if (!spec.name.ends_with("c_proj.weight")) continue;
      std::vector<float> a(static_cast<std::size_t>(spec.shape.back()), 0.5F),
          b(static_cast<std::size_t>(spec.shape[0]));
      for (std::size_t row = 0; row < b.size(); ++row) b[row] = static_cast<float>((row + number) % 3) - 1;
      adapter.parts.push_back(
          {.param = spec.name, .first_row = 0, .rows = spec.shape[0], .a = std::move(a), .b = std::move(b)});
    }
    return adapter;
  }

  text::CharTokenizer tokenizer_;
  model::LoadedModel model_;
  model::ArenaSource source_{model_.params, model_.arena};
  std::vector<model::Adapter> adapters_;
  std::optional<Api> api_;
  std::optional<HttpServer> server_;
  std::optional<Engine> engine_;
  std::thread thread_;
};

template <typename Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

/// The JSON of every event but the last, which is [DONE].
std::vector<Json> events_of(const std::string& body) {
  std::vector<Json> events;
  std::string_view rest = body;
  while (rest.starts_with("data: {")) {
    const std::size_t end = rest.find("\n\n");
    events.push_back(Json::parse(rest.substr(6, end - 6)));
    rest.remove_prefix(end + 2);
  }
  EXPECT_EQ(rest, "data: [DONE]\n\n");
  return events;
}

const Json kChat = {
    {"messages", {{{"role", "user"}, {"content", "Hi there"}}}}, {"seed", 5}, {"max_tokens", 30}};

TEST(GpuApi, CompletesWholeAndAsAStream) {
  Server server;
  const std::string whole = server.post("/v1/chat/completions", kChat);
  ASSERT_EQ(status_of(whole), 200) << whole;
  const Json reply = Json::parse(body_of(whole));
  const std::string content = reply["choices"][0]["message"]["content"];
  EXPECT_EQ(reply["model"], "tiny");
  EXPECT_EQ(reply["usage"]["total_tokens"].get<int>(),
            reply["usage"]["prompt_tokens"].get<int>() + reply["usage"]["completion_tokens"].get<int>());
  Json streamed = kChat;
  streamed["stream"] = true;
  streamed["stream_options"] = {{"include_usage", true}};
  const std::string stream = server.post("/v1/chat/completions", streamed);
  EXPECT_THAT(stream, HasSubstr("Content-Type: text/event-stream"));
  const std::vector<Json> events = events_of(body_of(stream));
  ASSERT_GT(events.size(), 3);
  std::string text;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    const Json& choice = events[i]["choices"].at(0);
    text += choice["delta"].value("content", "");
    EXPECT_EQ(choice["finish_reason"].is_null(), i + 2 < events.size()) << i;
  }
  EXPECT_EQ(text, content);
  EXPECT_TRUE(events.back()["choices"].empty());
  EXPECT_EQ(events.back()["usage"], reply["usage"]);
}

TEST(GpuApi, GivesTheSameTextWhateverElseRuns) {
  Server server(16, 32);
  std::vector<Json> wishes;
  for (int i = 0; i < 16; ++i) {
    wishes.push_back({{"prompt", std::string(static_cast<std::size_t>(1 + 9 * i % 50), "abdefghi"[i % 8])},
                      {"seed", i},
                      {"max_tokens", 20 + 5 * i},
                      {"temperature", 1.2},
                      {"logprobs", 2}});
  }
  std::vector<Json> alone, among(wishes.size());
  for (const Json& wish : wishes) alone.push_back(server.complete(wish)["choices"]);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    clients.emplace_back([&, i] { among[i] = server.complete(wishes[i])["choices"]; });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(among, alone);
}

TEST(GpuApi, ChoosesAdaptersByTheModelsName) {
  Server server(8, 32, "", {"pirate", "poet"});
  const Json listed = Json::parse(body_of(ask(server.port(), http_get("/v1/models"))))["data"];
  ASSERT_EQ(listed.size(), 3U);
  EXPECT_EQ(listed[0]["id"], "tiny");
  EXPECT_EQ(listed[1]["id"], "pirate");
  EXPECT_EQ(Json::parse(body_of(ask(server.port(), http_get("/v1/models/poet"))))["id"], "poet");
  const std::vector<std::string> names = {"base", "pirate", "poet", "tiny"};
  const auto wish = [&](std::size_t i) -> Json {
    return {{"model", names[i % 4]}, {"prompt", "hello"}, {"seed", 3}, {"max_tokens", 40}, {"logprobs", 1}};
  };
  std::vector<Json> alone(8), among(8);
  for (std::size_t i = 0; i < 8; ++i) alone[i] = server.complete(wish(i));
  EXPECT_EQ(alone[1]["model"], "pirate");
  EXPECT_NE(alone[0]["choices"], alone[1]["choices"]);
  EXPECT_NE(alone[1]["choices"], alone[2]["choices"]);
  EXPECT_EQ(alone[0]["choices"], alone[3]["choices"]) << "the model alone has two names";
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] { among[i] = server.complete(wish(i)); });
  }
  for (std::thread& client : clients) client.join();
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(among[i]["choices"], alone[i]["choices"]) << i;
  Json other = kChat;
  other["model"] = "bard";
  const std::string refused = server.post("/v1/chat/completions", other);
  EXPECT_EQ(status_of(refused), 404);
  EXPECT_THAT(refused, HasSubstr("there are the models 'tiny', 'pirate', 'poet'"));
}

TEST(GpuApi, CompletesWithoutAChatTemplate) {
  Server server(4, 8, "", {}, "no line end");
  EXPECT_EQ(server.complete({{"prompt", "ab"}, {"max_tokens", 3}})["usage"]["completion_tokens"], 3);
  const std::string refused = server.post("/v1/chat/completions", kChat);
  EXPECT_EQ(status_of(refused), 400);
  EXPECT_EQ(Json::parse(body_of(refused))["error"]["message"],
            "this model takes /v1/completions only: no line end");
}

TEST(GpuApi, FindsModelsByTheNamesThatItLists) {
  Server server(1, 1, "", {"po/et", "\xc3\xa9 x", "50%"});
  const auto id = [&](const std::string& name) -> Json {
    const std::string answer = ask(server.port(), http_get("/v1/models/" + name));
    return status_of(answer) == 200 ? Json::parse(body_of(answer))["id"] : Json(status_of(answer));
  };
  EXPECT_EQ(id("tiny"), "tiny");
  EXPECT_EQ(id("po/et"), "po/et");
  EXPECT_EQ(id("po%2Fet"), "po/et");
  EXPECT_EQ(id("%C3%a9%20x"), "\xc3\xa9 x");
  EXPECT_EQ(id("50%25"), "50%");
  EXPECT_EQ(id("50%"), "50%");
  for (const char* other : {"et", "anything/tiny", "%2", "%ZZtiny", ""}) EXPECT_EQ(id(other), 404) << other;
}

TEST(GpuApi, GivesSeveralChoicesAndPrompts) {
  Server server;
  const Json reply = server.complete({{"prompt", {"ab", "de"}}, {"n", 2}, {"seed", 1}, {"max_tokens", 40}});
  ASSERT_EQ(reply["choices"].size(), 4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reply["choices"][i]["index"], i);
  EXPECT_NE(reply["choices"][0]["text"], reply["choices"][1]["text"]);
  EXPECT_EQ(reply["usage"]["prompt_tokens"], 4);
  const Json uneven = server.complete({{"prompt", {"a", std::string(253, 'a')}}});
  EXPECT_EQ(uneven["usage"]["completion_tokens"], 16 + 3) << "each has its own room";
  const Json one = server.complete({{"prompt", "de"}, {"seed", 1}, {"max_tokens", 40}});
  EXPECT_EQ(one["choices"][0]["text"], reply["choices"][2]["text"]);
  EXPECT_NE(server.complete({{"prompt", "ab"}, {"max_tokens", 40}}),
            server.complete({{"prompt", "ab"}, {"max_tokens", 40}}));
  const Json apart = server.complete({{"prompt", {"ab", "ab"}}, {"n", 2}, {"max_tokens", 40}})["choices"];
  for (int i = 0; i < 2; ++i) EXPECT_NE(apart[i]["text"], apart[i + 2]["text"]) << "prompts share a seed";
}

TEST(GpuApi, StopsAtStopTexts) {
  Server server;
  const Json all = server.complete({{"prompt", "ab"}, {"seed", 1}, {"max_tokens", 60}});
  const std::string text = all["choices"][0]["text"];
  EXPECT_EQ(all["choices"][0]["finish_reason"], "length");
  const std::string stop = text.substr(20, 3);
  const Json cut =
      server.complete({{"prompt", "ab"}, {"seed", 1}, {"max_tokens", 60}, {"stop", {"never", stop}}});
  EXPECT_EQ(cut["choices"][0]["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(cut["choices"][0]["finish_reason"], "stop");
}

TEST(GpuApi, RefusesInOpenAisWords) {
  Server server(2, 2, "secret");
  const std::string key = "Authorization: Bearer secret\r\n";
  const auto error = [&](const std::string& answer, int status) {
    EXPECT_EQ(status_of(answer), status) << answer;
    return Json::parse(body_of(answer))["error"];
  };
  EXPECT_EQ(error(server.post("/v1/chat/completions", kChat), 401)["code"], "invalid_api_key");
  EXPECT_EQ(status_of(server.post("/v1/chat/completions", kChat, key)), 200);
  Json other = kChat;
  other["model"] = "gpt-4";
  EXPECT_EQ(error(server.post("/v1/chat/completions", other, key), 404)["code"], "model_not_found");
  const Json hot = {{"prompt", "a"}, {"temperature", 9}};
  EXPECT_EQ(error(server.post("/v1/completions", hot, key), 400)["param"], "temperature");
  const Json longest = {{"prompt", std::string(256, 'a')}};
  EXPECT_EQ(error(server.post("/v1/completions", longest, key), 400)["code"], "context_length_exceeded");
  const Json more = {{"prompt", "a"}, {"max_tokens", 256}};
  EXPECT_EQ(error(server.post("/v1/completions", more, key), 400)["code"], "context_length_exceeded");
  const Json unknown = {{"prompt", {0, 99}}};
  EXPECT_EQ(error(server.post("/v1/completions", unknown, key), 400)["param"], "prompt");
  EXPECT_EQ(error(server.post("/v1/completions", {{"prompt", "\xc3\xa9"}}, key), 400)["type"],
            "invalid_request_error");
  EXPECT_EQ(error(ask(server.port(), http_get("/v1/completions", key)), 405)["code"], "method_not_allowed");
  EXPECT_EQ(error(ask(server.port(), http_get("/v1/nothing", key)), 404)["code"], "not_found");
  EXPECT_EQ(error(server.post("/v1/embeddings", hot, key), 404)["code"], "not_found");
  EXPECT_EQ(error(server.post("/nothing", hot, key), 404)["code"], "not_found");
  for (const char* path : {"/health", "/v1/models", "/", "/chat.js"}) {
    EXPECT_EQ(error(server.post(path, hot, key), 405)["code"], "method_not_allowed") << path;
  }
  EXPECT_EQ(status_of(ask(server.port(), "POST /v1/completions HTTP/1.1\r\nHost: LOCALHOST\r\n" + key +
                                             "Content-Type: Application/JSON; charset=utf-8\r\n"
                                             "Content-Length: 2\r\nConnection: close\r\n\r\n{}")),
            400);
  EXPECT_EQ(
      error(ask(server.port(), "GET / HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n"), 403)["code"],
      "forbidden");
  EXPECT_EQ(status_of(ask(server.port(), "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + key +
                                             "Content-Length: 2\r\nConnection: close\r\n\r\n{}")),
            415);
}

TEST(GpuApi, RefusesMoreThanMayWait) {
  Server server(1, 1);
  const Json wish = {{"prompt", "ab"}, {"max_tokens", 250}, {"n", 2}};
  std::vector<std::thread> clients;
  std::atomic<int> good = 0, refused = 0;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&] {
      const std::string answer = server.post("/v1/completions", wish);
      if (status_of(answer) == 200) ++good;
      if (status_of(answer) == 429) {
        ++refused;
        EXPECT_THAT(answer, HasSubstr("Retry-After: 1"));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good + refused, 6);
  EXPECT_GE(good, 1);
  EXPECT_GE(refused, 1);
}

TEST(GpuApi, TellsOfItselfInModelsHealthAndMetrics) {
  Server server;
  server.complete({{"prompt", "ab"}, {"max_tokens", 3}});
  EXPECT_EQ(Json::parse(body_of(ask(server.port(), http_get("/v1/models"))))["data"][0]["id"], "tiny");
  EXPECT_EQ(Json::parse(body_of(ask(server.port(), http_get("/v1/models/tiny"))))["context_length"], 256);
  EXPECT_EQ(status_of(ask(server.port(), http_get("/v1/models/other"))), 404);
  EXPECT_EQ(body_of(ask(server.port(), http_get("/health"))), R"({"status":"ok"})");
  const std::string metrics = body_of(ask(server.port(), http_get("/metrics")));
  EXPECT_THAT(metrics, HasSubstr("vkgpt_requests_total{endpoint=\"/v1/completions\",status=\"200\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("vkgpt_tokens_drawn_total 3\n"));
  EXPECT_THAT(metrics, HasSubstr("vkgpt_first_token_seconds_count 1\n"));
  EXPECT_THAT(ask(server.port(), http_get("/")), HasSubstr("Content-Security-Policy: default-src 'self'"));
}

TEST(GpuApi, FreesTheSlotsOfClientsThatLeave) {
  Server server(4, 64);
  for (int i = 0; i < 60; ++i) {
    TestClient client(server.port());
    client.send(http_post("/v1/completions",
                          Json{{"prompt", "ab"}, {"max_tokens", 250}, {"stream", i % 2 == 0}}.dump()));
    if (i % 3 == 0) client.read_until("data: ", 2s);
    if (i % 2 == 0) client.reset();
  }
  EXPECT_TRUE(eventually([&] {
    const EngineState state = server.engine().state();
    return state.running == 0 && state.waiting == 0;
  }));
  EXPECT_EQ(server.complete({{"prompt", "ab"}, {"max_tokens", 3}})["usage"]["completion_tokens"], 3);
}

TEST(GpuApi, LosesTheDeviceAndGoesOn) {
  Server server;
  const Json wish = {{"prompt", "ab"}, {"max_tokens", 50}, {"seed", 1}};
  const Json before = server.complete(wish)["choices"];
  g_submits_left = 20;
  const std::string lost = server.post("/v1/completions", wish);
  EXPECT_EQ(status_of(lost), 500) << lost;
  EXPECT_EQ(Json::parse(body_of(lost))["error"]["code"], "engine_failed");
  EXPECT_TRUE(eventually([&] { return server.engine().state().is_ready; }));
  EXPECT_EQ(server.complete(wish)["choices"], before);
  EXPECT_EQ(server.engine().state().losses, 1);
}

}  // namespace
}  // namespace vkgpt::serve
