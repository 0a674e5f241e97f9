#include "vkgpt/text/chat/preference_pair.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt::text {
namespace {

std::string told(const ChatRequest& request) {
  std::string text;
  for (const ChatJson& message : request.messages) {
    text += message["role"].get<std::string>() + ": " + message["content"].get<std::string>() + "; ";
  }
  return text;
}

void expect_pair(const std::string& record, const std::string& chosen, const std::string& rejected,
                 std::size_t earlier = 0) {
  const PreferencePair pair = parse_preference_pair(record);
  EXPECT_EQ(told(pair.chosen), chosen);
  EXPECT_EQ(told(pair.rejected), rejected);
  EXPECT_EQ(pair.earlier_replies, earlier);
}

TEST(PreferencePair, IsReadFromEveryForm) {
  expect_pair(R"({"prompt": "A", "chosen": "B", "rejected": "C"})", "user: A; assistant: B; ",
              "user: A; assistant: C; ");
  expect_pair(R"({"prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "A"}],
                  "chosen": [{"role": "assistant", "content": "B"}],
                  "rejected": [{"role": "assistant", "content": "C"}]})",
              "system: S; user: A; assistant: B; ", "system: S; user: A; assistant: C; ");
  expect_pair(R"({"prompt": "A", "chosen": [{"role": "assistant", "content": "B"}], "rejected": "C"})",
              "user: A; assistant: B; ", "user: A; assistant: C; ");
  // HuggingFaceH4/ultrafeedback_binarized.
  expect_pair(R"({"prompt": "A", "prompt_id": "1", "messages": [], "score_chosen": 8.0,
                  "chosen": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}],
                  "rejected": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "C"}]})",
              "user: A; assistant: B; ", "user: A; assistant: C; ");
  expect_pair(R"({"prompt": "A", "chosen": [{"role": "assistant", "content": "B"}],
                  "rejected": [{"role": "assistant", "content": "C"}]})",
              "user: A; assistant: B; ", "user: A; assistant: C; ");
  expect_pair(R"({"prompt": "A", "chosen": [{"role": "assistant", "content": "B"},
                             {"role": "user", "content": "D"}, {"role": "assistant", "content": "E"}],
                  "rejected": [{"role": "assistant", "content": "B"},
                               {"role": "user", "content": "D"}, {"role": "assistant", "content": "F"}]})",
              "user: A; assistant: B; user: D; assistant: E; ",
              "user: A; assistant: B; user: D; assistant: F; ", 1);
  expect_pair(R"({"chosen": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"},
                             {"role": "user", "content": "D"}, {"role": "assistant", "content": "E"}],
                  "rejected": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"},
                               {"role": "user", "content": "D"}, {"role": "assistant", "content": "F"}]})",
              "user: A; assistant: B; user: D; assistant: E; ",
              "user: A; assistant: B; user: D; assistant: F; ", 1);
}

TEST(PreferencePair, RefusesWhatItCannotUse) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"prompt": "A", "chosen": "B")", "the record"},
      {R"({"prompt": "A", "chosen": "B"})", "no \"chosen\" and \"rejected\""},
      {R"({"chosen": "B", "rejected": "C"})", "it has no \"prompt\""},
      {R"({"prompt": "A", "chosen": "B", "rejected": "B"})", "are the same"},
      {R"({"prompt": "A", "chosen": "B", "rejected": " "})", "rejected: an assistant says nothing"},
      {R"({"prompt": "A", "chosen": 1, "rejected": "C"})", "its \"chosen\" holds no words and no messages"},
      {R"({"prompt": "A", "chosen": "B", "rejected": []})",
       "its \"rejected\" holds no words and no messages"},
      {R"({"prompt": "A", "chosen": "B", "rejected": [{"role": "user", "content": "C"}]})",
       "rejected: no assistant replies"},
      {R"({"prompt": [{"role": "assistant", "content": "A"}], "chosen": "B", "rejected": "C"})",
       "chosen: message 1 is an assistant's after the beginning"},
  };
  for (const auto& [record, part] : cases) {
    expect_error([&] { parse_preference_pair(record); }, part);
  }
}

}  // namespace
}  // namespace vkgpt::text
