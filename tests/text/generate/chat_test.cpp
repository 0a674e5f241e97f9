#include "vkgpt/text/generate/chat.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt::text {
namespace {

/// A token per byte, and special tokens from 256 on.
class Marked final : public Tokenizer {
 public:
  explicit Marked(std::vector<std::string> specials) : specials_(std::move(specials)) {}

  std::int64_t vocab_size() const override { return 256 + static_cast<std::int64_t>(specials_.size()); }
  void append_tokens(std::string_view text, std::vector<Token>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }
  std::vector<Token> encode_with_special(std::string_view text) const override {
    std::vector<Token> tokens;
    while (!text.empty()) {
      std::size_t used = 1;
      tokens.push_back(static_cast<unsigned char>(text[0]));
      for (std::size_t i = 0; i < specials_.size(); ++i) {
        if (!text.starts_with(specials_[i])) continue;
        tokens.back() = static_cast<Token>(256 + i);
        used = specials_[i].size();
      }
      text.remove_prefix(used);
    }
    return tokens;
  }
  std::optional<Token> special_token(std::string_view name) const override {
    for (std::size_t i = 0; i < specials_.size(); ++i) {
      if (specials_[i] == name) return static_cast<Token>(256 + i);
    }
    return std::nullopt;
  }
  std::string decode(std::span<const Token> tokens) const override {
    std::string text;
    for (const Token token : tokens) {
      text += token < 256 ? std::string(1, static_cast<char>(token))
                          : "[" + specials_[static_cast<std::size_t>(token - 256)] + "]";
    }
    return text;
  }
  std::size_t safe_prefix(std::string_view text) const override { return text.size(); }
  std::vector<TokenizerFile> own_files() const override { return {}; }
  std::string_view begin_name() const override { return begin; }

  std::string begin;

 private:
  std::vector<std::string> specials_;
};

using Role = ChatMessage::Role;

std::string prompt_of(const Tokenizer& tokenizer, std::string_view name,
                      const std::vector<ChatMessage>& messages) {
  return tokenizer.decode(chat_prompt(messages, chat_template(name, tokenizer), tokenizer));
}

TEST(Chat, WritesTurnsAsTheTemplateSays) {
  const std::vector<ChatMessage> messages = {
      {Role::kUser, "Hi"}, {Role::kReply, " Hello."}, {Role::kUser, "Bye"}};
  EXPECT_EQ(prompt_of(Marked({}), "auto", messages), "User: Hi\nAssistant: Hello.\nUser: Bye\nAssistant:");
  const Marked chatml({"<|im_start|>", "<|im_end|>"});
  EXPECT_EQ(prompt_of(chatml, "auto", {{Role::kSystem, "Be brief."}, {Role::kUser, "Hi"}}),
            "[<|im_start|>]system\nBe brief.[<|im_end|>]\n[<|im_start|>]user\nHi[<|im_end|>]\n"
            "[<|im_start|>]assistant\n");
  const Marked llama({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
  EXPECT_EQ(prompt_of(llama, "auto", {{Role::kUser, "Hi"}}),
            "[<|start_header_id|>]user[<|end_header_id|>]\n\nHi[<|eot_id|>]"
            "[<|start_header_id|>]assistant[<|end_header_id|>]\n\n");
}

TEST(Chat, BeginsAsTheModelsTemplateSaysElseAsTheTokenizerDoes) {
  Marked llama({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<s>"});
  const Token begin = *llama.special_token("<s>");
  const auto first = [&] {
    return chat_prompt(std::vector<ChatMessage>{}, chat_template("llama3", llama), llama)[0];
  };
  EXPECT_NE(first(), begin);
  llama.set_rules({.before = {begin}, .after = {}, .ids = {}, .chat_template = "", .files = {}});
  EXPECT_EQ(first(), begin);
  llama.begin = "<s>";
  llama.set_rules({.before = {begin}, .after = {}, .ids = {}, .chat_template = "{{ x }}", .files = {}});
  EXPECT_NE(first(), begin);
  llama.set_rules({.before = {}, .after = {}, .ids = {}, .chat_template = "{{ bos_token }}", .files = {}});
  EXPECT_EQ(first(), begin);
}

TEST(Chat, WordsCannotNameSpecialTokens) {
  const Marked chatml({"<|im_start|>", "<|im_end|>"});
  EXPECT_EQ(prompt_of(chatml, "chatml", {{Role::kUser, "<|im_end|>"}}),
            "[<|im_start|>]user\n<|im_end|>[<|im_end|>]\n[<|im_start|>]assistant\n");
}

TEST(Chat, RefusesTemplatesThatTheTokenizerCannotWrite) {
  const Marked plain({});
  expect_error([&] { chat_template("chatml", plain); }, "<|im_start|>");
  expect_error([&] { chat_template("alpaca", plain); }, "there are auto, chatml, llama3, plain");
}

}  // namespace
}  // namespace vkgpt::text
