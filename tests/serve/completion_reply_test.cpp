// The wire format, byte for byte.

#include "serve/completion_reply.hpp"

#include <gtest/gtest.h>

namespace vkgpt::serve {
namespace {

CompletionRequest request(bool is_chat, bool streams, std::uint32_t choices = 1) {
  return {.is_chat = is_chat, .streams = streams, .choices = choices};
}

PieceToken token(const char* text, double logprob) {
  return {.token = {text, logprob}, .likeliest = {{text, logprob}, {"\xe4", -2.5}}};
}

TEST(CompletionReply, OfAChat) {
  CompletionReply reply(request(true, false), "chatcmpl-1", "m", 5, 1, 7);
  EXPECT_EQ(reply.add({.text = "Hel", .drawn = 1}), "");
  EXPECT_FALSE(reply.is_complete());
  reply.add({.text = "lo", .drawn = 2, .finish = Finish::kStop});
  EXPECT_TRUE(reply.is_complete());
  EXPECT_EQ(
      reply.body(),
      R"({"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"Hello","refusal":null},"logprobs":null,)"
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}})");
}

TEST(CompletionReply, OfAChatAsAStream) {
  CompletionRequest wish = request(true, true);
  wish.includes_usage = true;
  CompletionReply reply(wish, "chatcmpl-1", "m", 5, 1, 7);
  const std::string head =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m","choices":[)";
  EXPECT_EQ(
      reply.first_events(),
      head + R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],)"
             R"("usage":null})"
             "\n\n");
  EXPECT_EQ(reply.add({.text = "Hi", .drawn = 1}),
            head +
                R"({"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}],"usage":null})"
                "\n\n");
  EXPECT_EQ(reply.add({.drawn = 2}), "");  // the beginning of a character
  EXPECT_EQ(reply.add({.text = "!", .drawn = 3, .finish = Finish::kLength}),
            head +
                R"({"index":0,"delta":{"content":"!"},"logprobs":null,"finish_reason":null}],"usage":null})"
                "\n\n" +
                head +
                R"({"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null})"
                "\n\n");
  EXPECT_EQ(reply.last_events(),
            head + R"(],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}})"
                   "\n\ndata: [DONE]\n\n");
}

TEST(CompletionReply, OfTextsWithLogProbabilities) {
  CompletionRequest wish = request(false, false, 2);
  wish.wants_logprobs = true;
  CompletionReply reply(wish, "cmpl-1", "m", 5, 1, 3);
  reply.add({.index = 1, .text = "a", .tokens = {token("a", -0.5)}, .drawn = 1});
  reply.add({.index = 0, .text = "b", .tokens = {token("b", -0.25)}, .drawn = 1, .finish = Finish::kStop});
  reply.add({.index = 1, .text = "c", .tokens = {token("c", -1)}, .drawn = 2, .finish = Finish::kLength});
  EXPECT_EQ(reply.body(),
            R"({"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[)"
            R"({"index":0,"text":"b","logprobs":{"tokens":["b"],"token_logprobs":[-0.25],)"
            R"("top_logprobs":[{"b":-0.25,"bytes:\\xe4":-2.5}],)"
            R"("text_offset":[0]},"finish_reason":"stop"},)"
            R"({"index":1,"text":"ac","logprobs":{"tokens":["a","c"],"token_logprobs":[-0.5,-1.0],)"
            R"("top_logprobs":[{"a":-0.5,"bytes:\\xe4":-2.5},{"c":-1.0,"bytes:\\xe4":-2.5}],)"
            R"("text_offset":[0,1]},"finish_reason":"length"}],)"
            R"("usage":{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6}})");
}

TEST(CompletionReply, NamesEachLikelyTokenAndTheDrawnOne) {
  CompletionRequest wish = request(false, false);
  wish.wants_logprobs = true;
  CompletionReply reply(wish, "cmpl-1", "m", 5, 1, 3);
  const PieceToken drawn = {.token = {"\xff", -4}, .likeliest = {{"\xe3", -1}, {"\xc3\x28", -2}, {"a", -3}}};
  reply.add({.tokens = {drawn}, .drawn = 1, .finish = Finish::kLength});
  const nlohmann::json json = nlohmann::json::parse(reply.body())["choices"][0]["logprobs"];
  const nlohmann::json named = {
      {"bytes:\\xe3", -1.0}, {"bytes:\\xc3\\x28", -2.0}, {"a", -3.0}, {"bytes:\\xff", -4.0}};
  EXPECT_EQ(json["top_logprobs"][0], named);
  EXPECT_EQ(json["tokens"][0], "bytes:\\xff");
}

TEST(CompletionReply, OffsetsCountCharacters) {
  const std::vector<std::string> tokens = {"\xc3\xa9", "a", "\xe2\x82", "\xac!", "\xff", "b"};
  const std::vector<std::size_t> offsets = {0, 1, 2, 2, 4, 5};  // the euro sign comes in two tokens
  for (const bool streams : {false, true}) {
    CompletionRequest wish = request(false, streams);
    wish.wants_logprobs = true;
    CompletionReply reply(wish, "cmpl-1", "m", 5, 1, 3);
    std::vector<std::size_t> found;
    const auto collect = [&](const std::string& text) {
      const nlohmann::json json = nlohmann::json::parse(text);
      for (const auto& offset : json["choices"][0]["logprobs"]["text_offset"]) found.push_back(offset);
    };
    for (const std::string& text : tokens) {
      const std::string event = reply.add({.text = text, .tokens = {token(text.c_str(), -1)}, .drawn = 1});
      if (streams) collect(event.substr(6));
    }
    if (!streams) collect(reply.body());
    EXPECT_EQ(found, offsets) << streams;
  }
}

TEST(CompletionReply, OfATextAsAStream) {
  CompletionReply reply(request(false, true), "cmpl-1", "m", 5, 1, 3);
  EXPECT_EQ(reply.first_events(), "");
  EXPECT_EQ(
      reply.add({.text = "x", .tokens = {token("x", -1)}, .drawn = 1, .finish = Finish::kStop}),
      R"(data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"index":0,"text":"x",)"
      R"("logprobs":{"tokens":["x"],"token_logprobs":[-1.0],"top_logprobs":[{"x":-1.0,)"
      R"("bytes:\\xe4":-2.5}],)"
      R"("text_offset":[0]},"finish_reason":null}]})"
      "\n\n"
      R"(data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"index":0,"text":"",)"
      R"("logprobs":null,"finish_reason":"stop"}]})"
      "\n\n");
  EXPECT_EQ(reply.last_events(), "data: [DONE]\n\n");
}

TEST(CompletionReply, GivesTheBytesOfTokensOfAChat) {
  CompletionRequest wish = request(true, false);
  wish.wants_logprobs = true;
  CompletionReply reply(wish, "chatcmpl-1", "m", 5, 1, 3);
  reply.add({.text = "x", .tokens = {token("x", -1)}, .drawn = 1, .finish = Finish::kStop});
  EXPECT_NE(
      reply.body().find(R"("logprobs":{"content":[{"token":"x","logprob":-1.0,"bytes":[120],"top_logprobs":[)"
                        R"({"token":"x","logprob":-1.0,"bytes":[120]},)"
                        "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-2.5,\"bytes\":[228]}]}],\"refusal\":null}"),
      std::string::npos)
      << reply.body();
}

}  // namespace
}  // namespace vkgpt::serve
