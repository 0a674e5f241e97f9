#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <format>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <print>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "cli/command/command_line.hpp"
#include "cli/data/tokenizer.hpp"

namespace vkgpt::cli {
namespace {

using text::Token;

struct EncodeOptions {
  std::string tokenizer = "gpt2";
  std::string text;
  std::string out;
  bool special = false;
  std::int64_t threads = 0;
  std::int64_t repeat = 1;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Tokenizer";
    visit(
        FieldInfo{
            .name = "tokenizer", .group = kGroup, .help = "gpt2, byte, or a directory or file with one"},
        self.tokenizer);
    visit(FieldInfo{.name = "text", .group = kGroup, .help = "Encode this instead of a file"}, self.text);
    visit(FieldInfo{.name = "out",
                    .group = kGroup,
                    .help = "Write tokens to this file as nanoGPT does, as uint16 (uint32 where V > 65536)"},
          self.out);
    visit(FieldInfo{.name = "special",
                    .group = kGroup,
                    .help = "Names of special tokens in the text become those tokens"},
          self.special);
    visit(
        FieldInfo{
            .name = "threads", .group = kGroup, .help = "0: as many as there are", .min = 0, .max = 4096},
        self.threads);
    visit(FieldInfo{.name = "repeat",
                    .group = kGroup,
                    .help = "Encode so many times and report the median, to measure speed",
                    .min = 1,
                    .max = 1e6},
          self.repeat);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "Report counts and times instead of tokens"},
          self.json);
  }
};

struct TokenizerInfoOptions {
  std::string tokenizer = "gpt2";
  std::string save;
  bool json = false;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Tokenizer";
    visit(FieldInfo{.name = "tokenizer",
                    .group = kGroup,
                    .help = "gpt2, byte, a directory or file with one, or char: the characters of FILE"},
          self.tokenizer);
    visit(FieldInfo{.name = "save",
                    .group = kGroup,
                    .help = "Write tokenizer.json and the files beside it into this directory"},
          self.save);
    visit(FieldInfo{.name = "json", .group = kGroup, .help = "One JSON object"}, self.json);
  }
};

struct DecodeOptions {
  std::string tokenizer = "gpt2";
  std::string text;
  std::string out;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Tokenizer";
    visit(
        FieldInfo{
            .name = "tokenizer", .group = kGroup, .help = "gpt2, byte, or a directory or file with one"},
        self.tokenizer);
    visit(FieldInfo{.name = "text", .group = kGroup, .help = "Decode these numbers instead of a file's"},
          self.text);
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "Write the text to this file"}, self.out);
  }
};

void write_output(std::string_view bytes, const std::string& path) {
  if (!path.empty()) return replace_file(path, bytes);
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0) {
    fail("cannot write to standard output");
  }
}

std::vector<Token> encode(const text::Tokenizer& tokenizer, const EncodeOptions& options,
                          const std::string& input) {
  if (options.special) return tokenizer.encode_with_special(input);
  const auto* bpe = dynamic_cast<const text::BpeTokenizer*>(&tokenizer);
  if (bpe == nullptr || options.threads == 0) return tokenizer.encode(input);
  std::vector<Token> tokens;
  bpe->append_tokens(input, static_cast<int>(options.threads), tokens);
  return tokens;
}

/// Token numbers in lines of about 100 characters.
std::string as_text(std::span<const Token> tokens) {
  std::string out;
  out.reserve(tokens.size() * 6);
  std::size_t line = 0;
  for (const Token token : tokens) {
    if (out.size() - line > 100) {
      out.back() = '\n';
      line = out.size();
    }
    std::format_to(std::back_inserter(out), "{} ", token);
  }
  if (!out.empty()) out.back() = '\n';
  return out;
}

template <typename Element>
std::string as_bytes_of(std::span<const Token> tokens) {
  std::string out(tokens.size() * sizeof(Element), '\0');
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (std::size_t byte = 0; byte < sizeof(Element); ++byte) {
      out[i * sizeof(Element) + byte] =
          static_cast<char>(static_cast<std::uint32_t>(tokens[i]) >> 8 * byte & 0xffU);
    }
  }
  return out;
}

std::vector<Token> read_tokens(std::string_view input, std::int64_t vocab_size) {
  constexpr std::string_view kSpace = " \t\r\n,";
  std::vector<Token> tokens;
  while (true) {
    const std::size_t begin = input.find_first_not_of(kSpace);
    if (begin == input.npos) return tokens;
    input.remove_prefix(begin);
    const std::string_view word = input.substr(0, input.find_first_of(kSpace));
    Token token = -1;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), token);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size() || token < 0 ||
        token >= vocab_size) {
      fail("'{}' (token {}) is not a token number from 0 to {}", printable(word), tokens.size() + 1,
           vocab_size - 1);
    }
    tokens.push_back(token);
    input.remove_prefix(word.size());
  }
}

std::string split_name(const text::BpeTokenizer& bpe) {
  const std::string regex = bpe.split().regex();
  for (const char* name : {"gpt2", "cl100k", "o200k"}) {
    if (regex == text::make_split_pattern(name)->regex()) return name;
  }
  return regex.empty() ? "none" : regex;
}

nlohmann::ordered_json describe(const text::Tokenizer& tokenizer) {
  const auto* bpe = dynamic_cast<const text::BpeTokenizer*>(&tokenizer);
  nlohmann::ordered_json record = {{"type", tokenizer.kind()}, {"vocab_size", tokenizer.vocab_size()}};
  if (bpe != nullptr) {
    record["merges"] = bpe->vocabulary().merges.size();
    record["split"] = split_name(*bpe);
    nlohmann::ordered_json specials = nlohmann::ordered_json::object();
    for (const auto& special : bpe->vocabulary().specials) specials[special.name] = special.token;
    record["specials"] = specials;
    record["end_of_text"] = bpe->vocabulary().end_of_text;
    record["nfc"] = bpe->vocabulary().nfc;
  }
  record["fingerprint"] = tokenizer.fingerprint();
  return record;
}

}  // namespace

std::string read_tokenizer_input(const std::vector<std::string>& positionals, std::string_view usage,
                                 const std::string& text) {
  if (!text.empty() && positionals.empty()) return text;
  if (positionals.size() != 1 || !text.empty()) fail_usage("expected 'vkgpt tokenizer {}'", usage);
  if (positionals[0] != "-") return text::read_bytes(positionals[0], std::uint64_t{1} << 36U);
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

int run_tokenizer_encode(std::span<const std::string> args) {
  EncodeOptions options;
  CommandLine command("tokenizer encode", "Writes the token numbers of a text ('-' is standard input).",
                      "[FILE]");
  command.add(options);
  if (!command.parse(args)) return 0;
  const std::string input =
      read_tokenizer_input(command.positionals(), "encode FILE|- [--tokenizer NAME]", options.text);
  const auto tokenizer = text::open_tokenizer(options.tokenizer);
  std::vector<Token> tokens;
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < options.repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    tokens = encode(*tokenizer, options, input);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  if (!options.out.empty()) {
    const bool wide = tokenizer->vocab_size() > std::int64_t{std::numeric_limits<std::uint16_t>::max()} + 1;
    replace_file(options.out, wide ? as_bytes_of<std::uint32_t>(tokens) : as_bytes_of<std::uint16_t>(tokens));
  }
  if (options.json) {
    const nlohmann::ordered_json record = {
        {"tokenizer", options.tokenizer},
        {"bytes", input.size()},
        {"tokens", tokens.size()},
        {"threads",
         options.threads == 0 ? std::int64_t{std::thread::hardware_concurrency()} : options.threads},
        {"seconds", median},
        {"megabytes_per_second", static_cast<double>(input.size()) / 1e6 / median}};
    std::print("{}\n", record.dump());
  } else if (options.out.empty()) {
    write_output(as_text(tokens), {});
  }
  return 0;
}

int run_tokenizer_decode(std::span<const std::string> args) {
  DecodeOptions options;
  CommandLine command("tokenizer decode",
                      "Writes the text of token numbers ('-' is standard input), byte for byte.", "[FILE]");
  command.add(options);
  if (!command.parse(args)) return 0;
  const std::string input =
      read_tokenizer_input(command.positionals(), "decode FILE|- [--tokenizer NAME]", options.text);
  const auto tokenizer = text::open_tokenizer(options.tokenizer);
  write_output(tokenizer->decode(read_tokens(input, tokenizer->vocab_size())), options.out);
  return 0;
}

int run_tokenizer_info(std::span<const std::string> args) {
  TokenizerInfoOptions options;
  CommandLine command("tokenizer info", "Says what a tokenizer is and, with a text, how well it fits it.",
                      "[FILE]");
  command.add(options);
  if (!command.parse(args)) return 0;
  const bool has_text = !command.positionals().empty();
  const bool characters = options.tokenizer == "char";
  if (characters && !has_text)
    fail_usage("--tokenizer char needs a text: 'vkgpt tokenizer info FILE --tokenizer char'");
  const std::string input =
      has_text ? read_tokenizer_input(command.positionals(), "info [FILE|-] [--tokenizer NAME]") : "";
  const std::unique_ptr<text::Tokenizer> tokenizer =
      characters ? std::make_unique<text::CharTokenizer>(
                       text::CharTokenizer::from_text(input, printable(command.positionals()[0])))
                 : text::open_tokenizer(options.tokenizer);
  if (!options.save.empty()) {
    text::write_tokenizer_files(*tokenizer, options.save);
  }
  nlohmann::ordered_json record = describe(*tokenizer);
  if (has_text) {
    const std::size_t count = tokenizer->encode(input).size();
    record["bytes"] = input.size();
    record["tokens"] = count;
    record["bytes_per_token"] =
        count == 0 ? 0.0 : static_cast<double>(input.size()) / static_cast<double>(count);
  }
  if (options.json) {
    std::print("{}\n", record.dump(-1, ' ', false, Json::error_handler_t::replace));
    return 0;
  }
  for (const auto& [key, value] : record.items()) {
    std::print("{:<16}{}\n", key,
               printable(value.is_string() ? value.get<std::string>() : value.dump(), 500));
  }
  return 0;
}

}  // namespace vkgpt::cli
