#include "vkgpt/text/task/multiple_choice.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

ChoiceItem item_of(const std::string& record) {
  return read_choice_item(record, "here");
}

TEST(MultipleChoice, ReadsTheFormsOfTasks) {
  const ChoiceItem own = item_of(R"({"query": "1 + 1 =", "choices": ["2", "3"], "gold": 0})");
  EXPECT_EQ(own.query, "1 + 1 =");
  EXPECT_EQ(own.gold, 0U);
  const ChoiceItem hellaswag = item_of(
      R"({"activity_label": "Baking", "ctx_a": "[header] A [title] man", "ctx_b": "he Bakes",
          "endings": ["a [step]  cake.", "b"], "label": "1"})");
  EXPECT_EQ(hellaswag.query, "Baking: A. man He bakes");
  EXPECT_EQ(hellaswag.choices[0], "a  cake.");
  EXPECT_EQ(hellaswag.gold, 1U);
  for (const char* record : {R"({"question": {"stem": "Why?", "choices": [{"text": "a", "label": "A"},
                                 {"text": "b", "label": "B"}]}, "answerKey": "B"})",
                             R"({"question": "Why?", "choices": {"text": ["a", "b"], "label": ["A", "B"]},
                                 "answerKey": "B"})"}) {
    const ChoiceItem arc = item_of(record);
    EXPECT_EQ(arc.query, "Question: Why?\nAnswer:");
    EXPECT_EQ(arc.choices[1], "b");
    EXPECT_EQ(arc.gold, 1U);
  }
}

TEST(MultipleChoice, ReadsMmlu) {
  for (const char* answer : {"2", "\"C\"", "\"2\""}) {
    const ChoiceItem item = item_of(
        R"({"question": " Why? ", "choices": ["a", "b", "c"], "subject": "high_school_physics", "answer": )" +
        std::string(answer) + "}");
    EXPECT_EQ(item.preamble,
              "The following are multiple choice questions (with answers) about high school physics.\n\n");
    EXPECT_EQ(item.query, "Why?\nA. a\nB. b\nC. c\nAnswer:");
    EXPECT_EQ(item.choices, (std::vector<std::string>{"A", "B", "C"}));
    EXPECT_EQ(item.gold, 2U);
  }
  EXPECT_EQ(item_of(R"({"question": "Why?", "choices": ["a", "b"], "answer": 0})").preamble, "");
  expect_error([] { item_of(R"({"question": "a", "choices": ["b", "c"], "answer": "E"})"); },
               "none of the 2 choices");
  expect_error([] { item_of(R"({"question": "a", "choices": ["b", "c"], "answer": "yes"})"); },
               "is no number");
}

TEST(MultipleChoice, SaysWhatIsWrong) {
  expect_error([] { item_of("{"); }, "here");
  expect_error([] { item_of(R"({"a": 1})"); }, "neither \"query\" nor \"endings\" nor \"answerKey\"");
  expect_error([] { item_of(R"({"query": "a", "choices": ["b"], "gold": 0})"); }, "1 choices");
  expect_error([] { item_of(R"({"query": "a", "choices": ["b", "c"], "gold": 2})"); },
               "none of the 2 choices");
  expect_error([] { item_of(R"({"query": "a", "choices": ["b", ""], "gold": 0})"); }, "an empty choice");
  expect_error([] { item_of(R"({"query": "a", "choices": ["b", 1], "gold": 0})"); }, "a list of strings");
  expect_error([] { item_of(R"({"query": "a", "choices": ["b", "c"], "gold": "x"})"); }, "is no number");
  const TempDirectory directory{TempDirectory::in_memory()};
  write_file(directory / "a.jsonl", "{\"query\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": 0}\n\nno\n");
  expect_error([&] { read_choice_items(directory / "a.jsonl"); }, "a.jsonl: line 3");
  write_file(directory / "b.jsonl", "\n");
  expect_error([&] { read_choice_items(directory / "b.jsonl"); }, "holds no questions");
}

TEST(MultipleChoice, ScoresTheAnswerBehindItsQuery) {
  const auto tokenizer = open_tokenizer("byte");
  const ChoiceItem item{.query = "One ", .choices = {"two", "x"}, .gold = 1};
  const ChoiceItem example{.query = "Zero", .choices = {"a", "b"}, .gold = 1};
  const std::vector<ScoredText> texts = scored_texts(item, {&example, 1}, *tokenizer, 100);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(tokenizer->decode(texts[0].tokens), "Zero b\n\nOne  two");
  const auto scored = std::span(texts[0].tokens).subspan(texts[0].first_scored);
  EXPECT_EQ(tokenizer->decode(scored), "  two") << "spaces at the query's end are the answer's";
  const std::vector<ScoredText> cut = scored_texts(item, {&example, 1}, *tokenizer, 7);
  EXPECT_EQ(tokenizer->decode(cut[0].tokens), "ne  two");
  EXPECT_EQ(cut[0].first_scored, 2U);
  EXPECT_EQ(scored_texts(item, {}, *tokenizer, 3)[0].first_scored, 1U);
}

TEST(MultipleChoice, ChoosesByLikelihoodAndByLength) {
  const ChoiceItem item{.query = "", .choices = {"ab", "äöüß"}, .gold = 0};
  const std::vector<double> scores{-3, -4};
  EXPECT_EQ(best_choice(scores), 0U);
  EXPECT_EQ(best_choice_by_length(scores, item), 1U) << "-1.5 and -1 a character";
  const Share share{.count = 3, .of = 5};
  EXPECT_DOUBLE_EQ(share.value(), 0.6);
  EXPECT_DOUBLE_EQ(share.standard_error(), std::sqrt(0.6 * 0.4 / 4));
}

}  // namespace
}  // namespace vkgpt::text
