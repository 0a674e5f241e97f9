#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/json.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

TEST(TokenizerCommand, EncodesAndDecodesEveryByte) {
  const TempDirectory directory;
  std::string text = "Hello world <|endoftext|>\n";
  for (int byte = 0; byte < 256; ++byte) text += static_cast<char>(byte);
  write_file(directory / "text", text);
  const RunResult encoded =
      run_vkgpt({"tokenizer", "encode", (directory / "text").string(), "--threads", "1"});
  ASSERT_EQ(encoded.code, 0) << encoded.err;
  EXPECT_TRUE(encoded.out.starts_with("15496 995 ")) << encoded.out;
  write_file(directory / "tokens", encoded.out);
  const RunResult decoded = run_vkgpt({"tokenizer", "decode", (directory / "tokens").string()});
  ASSERT_EQ(decoded.code, 0) << decoded.err;
  EXPECT_EQ(decoded.out, text);
}

TEST(TokenizerCommand, WritesNanoGptsTokensAndKnowsSpecialNames) {
  const TempDirectory directory;
  write_file(directory / "text", "a<|endoftext|>");
  const RunResult result = run_vkgpt({"tokenizer", "encode", (directory / "text").string(), "--special",
                                      "--out", (directory / "out").string()});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read_file(directory / "out"), std::string("\x40\x00\x50\xc4", 4));  // 64, 50256
}

TEST(TokenizerCommand, InfoDescribesAndSaves) {
  const TempDirectory directory;
  write_file(directory / "text", "banana");
  const RunResult result = run_vkgpt({"tokenizer", "info", (directory / "text").string(), "--tokenizer",
                                      "byte", "--save", (directory / "saved").string(), "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const Json record = parse_json(result.out, "out");
  EXPECT_EQ(record["type"], "bpe");
  EXPECT_EQ(record["vocab_size"], 257);
  EXPECT_EQ(record["tokens"], 6);
  const RunResult again =
      run_vkgpt({"tokenizer", "info", "--tokenizer", (directory / "saved").string(), "--json"});
  EXPECT_EQ(parse_json(again.out, "out")["fingerprint"], record["fingerprint"]);
  EXPECT_THAT(run_vkgpt({"tokenizer", "info"}).out, HasSubstr("50257"));
}

TEST(TokenizerCommand, ChatWritesConversationsAsTheTemplateSays) {
  const TempDirectory directory;
  ASSERT_EQ(run_vkgpt({"tokenizer", "info", "--save", (directory / "t").string()}).code, 0);
  write_file(
      directory / "t/chat_template.jinja",
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No systems') }}{% endif %}"
      "{{ m.content }}{% generation %}{{ eos_token }}{% endgeneration %}{% endfor %}");
  write_file(directory / "talk.jsonl", R"({"messages": [{"role": "user", "content": "a<|endoftext|>"}]})"
                                       "\n\n"
                                       R"({"messages": [{"role": "system", "content": ""}]})"
                                       "\n");
  const std::vector<std::string> command = {"tokenizer", "chat", (directory / "talk.jsonl").string(),
                                            "--tokenizer", (directory / "t").string()};
  std::vector<std::string> json = command;
  json.emplace_back("--json");
  const RunResult result = run_vkgpt(json);
  ASSERT_EQ(result.code, 0) << result.err;
  const Json record = parse_json(result.out.substr(0, result.out.find('\n')), "out");
  EXPECT_EQ(record["text"], "a<|endoftext|><|endoftext|>");
  EXPECT_EQ(record["tokens"], (Json{64, 27, 91, 437, 1659, 5239, 91, 29, 50256}))
      << "what people write is no special token";
  EXPECT_EQ(record["by_assistant"], (Json{0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_THAT(result.out,
              HasSubstr(R"({"error":"the model's chat template refuses this conversation: No systems"})"));
  const RunResult text = run_vkgpt(command);
  EXPECT_EQ(text.code, 1);
  EXPECT_THAT(text.err, HasSubstr("No systems"));
  write_file(directory / "talk.jsonl", R"({"message": []})");
  EXPECT_THAT(run_vkgpt(command).err, HasSubstr("line 1: expected an object with a list of messages"));
}

TEST(TokenizerCommand, MistakesAreOneLine) {
  const TempDirectory directory;
  write_file(directory / "tokens", "12 99999");
  const auto expect = [](const std::vector<std::string>& args, int code, const std::string& part) {
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  };
  expect({"tokenizer"}, 2, "no command");
  expect({"tokenizer", "encod"}, 2, "did you mean 'encode'?");
  expect({"tokenizer", "encode"}, 2, "expected 'vkgpt tokenizer encode");
  expect({"tokenizer", "encode", "/nonexistent"}, 1, "/nonexistent");
  expect({"tokenizer", "decode", (directory / "tokens").string()}, 1, "'99999' (token 2)");
  expect({"tokenizer", "info", "--tokenizer", "nothing"}, 1, "there is no tokenizer 'nothing'");
}

TEST(TokenizerCommand, TakesTheFormsOfOtherTrainers) {
  const std::string tokens = run_vkgpt({"tokenizer", "encode", "-"}, {}, "Hello world").out;
  EXPECT_EQ(tokens, "15496 995\n");
  EXPECT_EQ(run_vkgpt({"tokenizer", "--encode", "Hello world"}).out, tokens);
  EXPECT_EQ(run_vkgpt({"tokenizer", "--encode=Hello world", "--tokenizer", "gpt2"}).out, tokens);
  EXPECT_EQ(run_vkgpt({"tokenizer", "--tokenizer", "gpt2", "--encode", "Hello world"}).out, tokens);
  EXPECT_EQ(run_vkgpt({"tokenizer", "--decode", "15496 995"}).out, "Hello world");
  const TempDirectory directory;
  const std::string text = (directory / "t.txt").string();
  std::string words;
  for (int i = 0; i < 200; ++i) words += "the cat and the hat and the bat ";
  write_file(text, words);
  const std::string first = (directory / "a").string();
  const std::string second = (directory / "b").string();
  ASSERT_EQ(run_vkgpt({"tokenizer", "train", text, "--bpe_vocab_size", "270", "--out", first}).code, 0);
  const RunResult trained =
      run_vkgpt({"tokenizer", "--train", text, "--vocab-size", "270", "--output", second});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(read_file(directory / "a" / "tokenizer.json"), read_file(directory / "b" / "tokenizer.json"));
}

}  // namespace
}  // namespace vkgpt::cli
