#include "serve/completion_request.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"

#include "serve/request_error.hpp"

namespace vkgpt::serve {
namespace {

CompletionRequest chat(const std::string& members) {
  return parse_completion_request(
      R"({"messages":[{"role":"user","content":"Hi"}])" + (members.empty() ? "" : "," + members) + "}", true,
      {.temperature = 0.8});
}
CompletionRequest text(const std::string& body) {
  return parse_completion_request(body, false, {});
}

/// The JSON of the error that `run` throws.
template <typename Run>
Json refusal(Run&& run) {
  try {
    run();
  } catch (const RequestError& error) {
    EXPECT_EQ(error.status(), 400);
    return Json::parse(error.body()).at("error");
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(CompletionRequest, TakesWhatClientsSend) {
  const CompletionRequest request = parse_completion_request(
      R"({"model":"m","messages":[{"role":"developer","content":"Be kind."},
          {"role":"user","content":[{"type":"text","text":"H"},{"type":"text","text":"i"}]},
          {"role":"assistant","content":"Yes?"},{"role":"user","content":"Go on","name":"x"}],
          "stream":true,"stream_options":{"include_usage":true},"n":3,"stop":["a","b"],"seed":-1,"user":"me",
          "temperature":0.5,"top_p":0.9,"top_k":4,"repetition_penalty":1.1,"logprobs":true,"top_logprobs":20,
          "max_tokens":7,"max_completion_tokens":9,"frequency_penalty":0,"tools":[],"chat_template_kwargs":{"enable_thinking":false},"logit_bias":{}})",
      true, {});
  EXPECT_EQ(request.model, "m");
  ASSERT_EQ(request.messages.size(), 4);
  EXPECT_EQ(request.messages[0]["role"], "system");
  EXPECT_EQ(request.messages[1]["content"], "Hi");
  EXPECT_EQ(request.messages[2]["role"], "assistant");
  EXPECT_TRUE(request.streams);
  EXPECT_TRUE(request.includes_usage);
  EXPECT_EQ(request.template_variables["enable_thinking"], false);
  EXPECT_EQ(request.choices, 3);
  EXPECT_EQ(request.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.seed, UINT64_MAX);
  EXPECT_EQ(request.sampling,
            (text::SamplerConfig{.temperature = 0.5, .top_k = 4, .top_p = 0.9, .repetition_penalty = 1.1}));
  EXPECT_TRUE(request.wants_logprobs);
  EXPECT_EQ(request.likeliest, 20);
  EXPECT_EQ(request.max_tokens, 9);
}

TEST(CompletionRequest, LeavesTheRestToTheDefaults) {
  const CompletionRequest request =
      chat(R"("temperature":null,"stop":null,"n":null,"seed":null,"stream":null)");
  EXPECT_EQ(request.sampling.temperature, 0.8);
  EXPECT_EQ(request.choices, 1);
  EXPECT_FALSE(request.seed.has_value());
  EXPECT_FALSE(request.max_tokens.has_value());
  EXPECT_TRUE(request.stops.empty());
}

TEST(CompletionRequest, TakesPromptsOfTextAndTokens) {
  EXPECT_EQ(text(R"({"prompt":"a"})").prompts, (std::vector<Prompt>{"a"}));
  EXPECT_EQ(text(R"({"prompt":["a","b"]})").prompts, (std::vector<Prompt>{"a", "b"}));
  EXPECT_EQ(text(R"({"prompt":[1,2]})").prompts, (std::vector<Prompt>{std::vector<text::Token>{1, 2}}));
  EXPECT_EQ(text(R"({"prompt":[[1],[2,3]]})").prompts,
            (std::vector<Prompt>{std::vector<text::Token>{1}, std::vector<text::Token>{2, 3}}));
  EXPECT_TRUE(text(R"({"prompt":"a","logprobs":0})").wants_logprobs);
}

TEST(CompletionRequest, RefusesWhatIsOutOfRange) {
  for (const auto& [members, param] : std::vector<std::pair<std::string, std::string>>{
           {R"("temperature":2.1)", "temperature"},
           {R"("temperature":-0.1)", "temperature"},
           {R"("temperature":"hot")", "temperature"},
           {R"("top_p":0)", "top_p"},
           {R"("top_p":1.01)", "top_p"},
           {R"("top_k":-1)", "top_k"},
           {R"("top_k":1.5)", "top_k"},
           {R"("repetition_penalty":0)", "repetition_penalty"},
           {R"("n":0)", "n"},
           {R"("n":17)", "n"},
           {R"("n":18446744073709551615)", "n"},
           {R"("max_tokens":0)", "max_tokens"},
           {R"("seed":1.5)", "seed"},
           {R"("seed":9223372036854775808)", "seed"},
           {R"("stop":["a","b","c","d","e"])", "stop"},
           {R"("stop":[""])", "stop"},
           {R"("stop":3)", "stop"},
           {R"("logprobs":3)", "logprobs"},
           {R"("top_logprobs":3)", "top_logprobs"},
           {R"("logprobs":true,"top_logprobs":21)", "top_logprobs"},
           {R"("stream":1)", "stream"},
           {R"("stream_options":{"include_usage":true})", "stream_options"},
           {R"("model":7)", "model"}}) {
    EXPECT_EQ(refusal([&] { chat(members); })["param"], param) << members;
  }
}

TEST(CompletionRequest, RefusesWhatItWouldIgnore) {
  for (const auto& [members, param] : std::vector<std::pair<std::string, std::string>>{
           {R"("frequency_penalty":0.5)", "frequency_penalty"},
           {R"("presence_penalty":-1)", "presence_penalty"},
           {R"("tools":[{"type":"function"}])", "tools"},
           {R"("logit_bias":{"5":1})", "logit_bias"},
           {R"("response_format":{"type":"json_object"})", "response_format"},
           {R"("min_p":0.1)", "min_p"},
           {R"("repeat_penalty":1.1)", "repeat_penalty"},
           {R"("grammar":"root ::= a")", "grammar"},
           {R"("guided_json":{"type":"object"})", "guided_json"},
           {R"("ignore_eos":true)", "ignore_eos"},
           {R"("stop_token_ids":[0])", "stop_token_ids"},
           {R"("reasoning_effort":"high")", "reasoning_effort"},
           {R"("modalities":["text","audio"])", "modalities"},
           {R"("tool_choice":"required")", "tool_choice"}}) {
    EXPECT_EQ(refusal([&] { chat(members); })["param"], param) << members;
  }
  EXPECT_EQ(refusal([] { text(R"({"prompt":"a","echo":true})"); })["param"], "echo");
  EXPECT_EQ(refusal([] { text(R"({"prompt":"a","suffix":"b"})"); })["param"], "suffix");
  EXPECT_EQ(refusal([] { text(R"({"prompt":"a","best_of":2})"); })["param"], "best_of");
}

TEST(CompletionRequest, TakesWhatAsksForNothing) {
  EXPECT_NO_THROW(chat(R"("min_p":0,"typical_p":1,"repeat_penalty":1.0,"n_predict":-1,"ignore_eos":false)"));
  EXPECT_NO_THROW(chat(R"("tool_choice":"auto","function_call":"none","stop_token_ids":[],"grammar":"")"));
  EXPECT_NO_THROW(chat(R"("modalities":["text"],"store":true,"metadata":{"a":"b"},"cache_prompt":true)"));
}

TEST(CompletionRequest, RefusesWhatIsNoRequest) {
  const auto refused = [](const std::string& body, bool is_chat) {
    return refusal([&] { parse_completion_request(body, is_chat, {}); })["message"].get<std::string>();
  };
  using testing::HasSubstr;
  EXPECT_THAT(refused("", true), HasSubstr("invalid JSON"));
  EXPECT_THAT(refused("{\"messages\":[", true), HasSubstr("invalid JSON"));
  EXPECT_THAT(refused("[]", true), HasSubstr("JSON object"));
  EXPECT_THAT(refused(std::string(1000, '['), true), HasSubstr("nested deeper"));
  EXPECT_THAT(refused(R"({"n":1,"n":2})", true), HasSubstr("appears twice"));
  EXPECT_THAT(refused("{\"messages\":\"\xff\"}", true), HasSubstr("invalid JSON"));
  EXPECT_THAT(refused("{}", true), HasSubstr("'messages' must be"));
  EXPECT_THAT(refused(R"({"messages":[]})", true), HasSubstr("'messages' must be"));
  EXPECT_THAT(refused(R"({"messages":[{"role":"king","content":""}]})", true), HasSubstr("messages[0].role"));
  EXPECT_THAT(refused(R"({"messages":[{"role":"user"}]})", true), HasSubstr("a role and a content"));
  EXPECT_THAT(refused(R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})", true),
              HasSubstr("parts of type text"));
  EXPECT_THAT(refused(R"({"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"1"}]}]})", true),
              HasSubstr("messages[0].tool_calls"));
  EXPECT_THAT(refused("{}", false), HasSubstr("'prompt' must be"));
  EXPECT_THAT(refused(R"({"prompt":[-1]})", false), HasSubstr("whole numbers"));
  EXPECT_THAT(refused(R"({"prompt":[4294967296]})", false), HasSubstr("whole numbers"));
  EXPECT_THAT(refused(R"({"prompt":["a",3]})", false), HasSubstr("'prompt' must be"));
  EXPECT_THAT(refused(R"({"prompt":["a","b","c"],"n":6})", false), HasSubstr("more than 16 texts"));
}

}  // namespace
}  // namespace vkgpt::serve
