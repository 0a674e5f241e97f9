#include "vkgpt/text/tokenizer/make_split.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/char_class.hpp"
#include "text/tokenizer/regex_split.hpp"

namespace vkgpt::text {
namespace {

/// What the hand-written scanners share: they read text character by character, by classes.
class Scanner : public SplitPattern {
 public:
  std::size_t safe_prefix(std::string_view text) const final {
    for (std::size_t at = text.size(); at > 1;) {
      --at;
      if ((static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80)
        continue;  // inside a character, or not valid
      const ClassedChar after = classed_char(text, at, table_);
      // What is not valid here may be the beginning of a character whose end is still to come.
      if (static_cast<unsigned char>(text[at]) >= 0x80 && after.length == 1) continue;
      if (safe_between(classed_char_before(text, at, table_).bits, text[at - 1], after.bits, text[at]))
        return at;
    }
    return 0;
  }

 protected:
  ClassedChar at(std::string_view text, std::size_t i) const { return classed_char(text, i, table_); }
  /// The same with class 0 at the end of the text.
  ClassedChar at_or_end(std::string_view text, std::size_t i) const {
    return i < text.size() ? at(text, i) : ClassedChar{};
  }

  /// The end of the run of characters from `i` on whose class is in `bits`.
  std::size_t run(std::string_view text, std::size_t i, unsigned bits) const {
    while (i < text.size()) {
      const ClassedChar c = at(text, i);
      if ((c.bits & bits) == 0) break;
      i += c.length;
    }
    return i;
  }

  /// `\s+(?!\S)|\s+` for a run of white space from `begin` to `end`: a run before something else leaves its
  /// last character to what follows.
  std::size_t white_run(std::string_view text, std::size_t begin, std::size_t end) const {
    if (end == text.size()) return end;
    const std::size_t last = end - classed_char_before(text, end, table_).length;
    return last > begin ? last : end;
  }

  /// Whether a word always ends between two neighbours, whatever is around them, and what is before the cut
  /// is cut alike without what is after it. `before` and `after` are classes; `last` and `first` the bytes
  /// that touch.
  virtual bool safe_between(unsigned before, char last, unsigned after, char first) const = 0;

 private:
  const std::uint8_t* table_ = char_class_table();
};

/// The end of "s", "t", "m", "d", "ll", "ve" or "re" at `text[i]`, or `i`.
std::size_t contraction(std::string_view text, std::size_t i) {
  const char a = i < text.size() ? text[i] : '\0';
  const char b = i + 1 < text.size() ? text[i + 1] : '\0';
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 1;
  if ((a == 'l' && b == 'l') || (a == 'v' && b == 'e') || (a == 'r' && b == 'e')) return i + 2;
  return i;
}

/// The same in any case: U+017F, the long s, is an s then.
std::size_t any_case_contraction(std::string_view text, std::size_t i) {
  const auto lower = [&](std::size_t k) {
    return k >= text.size()                   ? '\0'
           : text[k] >= 'A' && text[k] <= 'Z' ? static_cast<char>(text[k] | 0x20)
                                              : text[k];
  };
  if (text.substr(i, 2) == "\xc5\xbf") return i + 2;
  const std::array<char, 2> letters = {lower(i), lower(i + 1)};
  return i + contraction(std::string_view(letters.data(), letters.size()), 0);
}

constexpr std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class Gpt2Split final : public Scanner {
 public:
  explicit Gpt2Split(Digits digits) : digits_(digits) {}

  const Digits& digits() const { return digits_; }
  std::string regex() const override { return std::string(kGpt2Regex); }

  std::size_t next(std::string_view text, std::size_t begin) const override {
    if (text[begin] == '\'') {
      const std::size_t end = contraction(text, begin + 1);
      if (end > begin + 1) return end;
    }
    std::size_t i = begin;
    ClassedChar c = at(text, i);
    if (text[i] == ' ') {
      const ClassedChar after = at_or_end(text, i + 1);
      const unsigned joined = kLetter | kSymbol | (digits_ == Digits::kWithSpace ? kNumber : 0);
      if ((after.bits & joined) != 0) {
        ++i;
        c = after;
      }
    }
    i += c.length;
    if ((c.bits & kLetter) != 0) return run(text, i, kLetter);
    if ((c.bits & kNumber) != 0) return digits_ == Digits::kIndividual ? i : run(text, i, kNumber);
    if ((c.bits & kSymbol) != 0) return run(text, i, kSymbol);
    i = run(text, i, kWhite);
    // A digit that stands alone ends the text of what is before it.
    if (digits_ != Digits::kWithSpace && (at_or_end(text, i).bits & kNumber) != 0) return i;
    return white_run(text, begin, i);
  }

 private:
  bool safe_between(unsigned before, char last, unsigned after, char) const override {
    const auto group = [](unsigned bits) {
      for (const unsigned wide : {kLetter, kSymbol, kWhite}) {
        if ((bits & wide) != 0) return wide;
      }
      return bits;
    };
    return (before & kWhite) == 0 && last != '\'' && group(before) != group(after);
  }

  Digits digits_;
};

constexpr std::string_view kCl100kStart = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
constexpr std::string_view kCl100kSymbols = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)";
constexpr std::string_view kWhiteEnd = R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// cl100k_base's pattern and its family. tiktoken takes white space at the end of the text for one word, what
/// Hugging Face's conversions made from the older pattern do not.
class Cl100kSplit final : public Scanner {
 public:
  Cl100kSplit(int digits, bool whole_end) : digits_(digits), whole_end_(whole_end) {}

  std::string regex() const override {
    return std::string(kCl100kStart) + (digits_ == 1 ? R"(\p{N})" : R"(\p{N}{1,3})") +
           std::string(kCl100kSymbols) + (whole_end_ ? R"(|\s+(?![\s\S]))" : "") + std::string(kWhiteEnd);
  }

  std::size_t next(std::string_view text, std::size_t begin) const override {
    if (text[begin] == '\'') {
      const std::size_t end = any_case_contraction(text, begin + 1);
      if (end > begin + 1) return end;
    }
    const ClassedChar c = at(text, begin);
    std::size_t i = begin + c.length;
    if ((c.bits & kLetter) != 0) return run(text, i, kLetter);
    if ((c.bits & kNumber) != 0) {
      for (int n = 1; n < digits_ && (at_or_end(text, i).bits & kNumber) != 0; ++n) i += at(text, i).length;
      return i;
    }
    const ClassedChar after = at_or_end(text, i);
    if (c.bits != kNewline && (after.bits & kLetter) != 0) return run(text, i, kLetter);
    const bool symbols = (c.bits & kSymbol) != 0 || (text[begin] == ' ' && (after.bits & kSymbol) != 0);
    if (symbols) return run(text, run(text, i, kSymbol), kNewline);
    return white_word(text, begin, run(text, i, kWhite));
  }

 private:
  std::size_t white_word(std::string_view text, std::size_t begin, std::size_t end) const {
    if (whole_end_ && end == text.size()) return end;
    const std::size_t newline = text.substr(begin, end - begin).find_last_of("\r\n");
    return newline == text.npos ? white_run(text, begin, end) : begin + newline + 1;
  }

  bool safe_between(unsigned before, char, unsigned after, char) const override {
    if (before == kNewline) return (after & kWhite) == 0;
    if ((before & kLetter) != 0) return (after & kLetter) == 0;
    if ((before & kNumber) != 0) return (after & kNumber) == 0;
    return (before & kSymbol) != 0 && (after & (kSpace | kNumber)) != 0;
  }

  int digits_;
  bool whole_end_;
};

constexpr std::string_view kO200kRegex =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// o200k_base's pattern.
class O200kSplit final : public Scanner {
 public:
  std::string regex() const override { return std::string(kO200kRegex); }

  std::size_t next(std::string_view text, std::size_t begin) const override {
    const std::size_t end = cased_word(text, begin);
    if (end > begin) return with_contraction(text, end);
    const ClassedChar c = at(text, begin);
    std::size_t i = begin + c.length;
    if ((c.bits & kNumber) != 0) {
      for (int n = 1; n < 3 && (at_or_end(text, i).bits & kNumber) != 0; ++n) i += at(text, i).length;
      return i;
    }
    const bool symbols =
        (c.bits & kSymbol) != 0 || (text[begin] == ' ' && (at_or_end(text, i).bits & kSymbol) != 0);
    if (symbols) {
      i = run(text, i, kSymbol);
      while (i < text.size() && (text[i] == '\r' || text[i] == '\n' || text[i] == '/')) ++i;
      return i;
    }
    i = run(text, i, kWhite);
    const std::size_t newline = text.substr(begin, i - begin).find_last_of("\r\n");
    return newline == text.npos ? white_run(text, begin, i) : begin + newline + 1;
  }

 private:
  static constexpr unsigned kFirst = kUpper | kCaseless | kMark;
  static constexpr unsigned kThen = kLower | kCaseless | kMark;

  /// `kFirst* kThen+` from `begin` on, or `begin`. Greedy: where nothing of `kThen` follows the run, the run
  /// gives back what is behind its last character that is in both.
  std::size_t mixed(std::string_view text, std::size_t begin) const {
    std::size_t i = begin;
    std::size_t last_then = begin;
    for (; i < text.size();) {
      const ClassedChar c = at(text, i);
      if ((c.bits & kFirst) == 0) break;
      i += c.length;
      if ((c.bits & kThen) != 0) last_then = i;
    }
    const std::size_t end = run(text, i, kThen);
    return end > i ? end : last_then;
  }

  /// The first two alternatives without what may follow them; `begin` where there is no such word.
  std::size_t cased_word(std::string_view text, std::size_t begin) const {
    const ClassedChar c = at(text, begin);
    const bool can_lead = (c.bits & (kLetter | kNumber | kNewline)) == 0;
    const std::size_t led = begin + (can_lead ? c.length : 0);
    if (led == text.size()) return c.bits == kMark ? led : begin;
    for (const std::size_t start : {led, begin}) {
      const std::size_t end = mixed(text, start);
      if (end > start) return end;
    }
    const std::size_t end = run(text, led, kFirst);
    return end > led ? end : begin;
  }

  static std::size_t with_contraction(std::string_view text, std::size_t i) {
    if (i >= text.size() || text[i] != '\'') return i;
    const std::size_t end = any_case_contraction(text, i + 1);
    return end > i + 1 ? end : i;
  }

  bool safe_between(unsigned before, char last, unsigned after, char first) const override {
    if (before == kNewline) return (after & (kWhite | kMark)) == 0 && first != '/';
    if ((before & kLetter) != 0) return (after & (kLetter | kMark)) == 0 && first != '\'';
    if ((before & kNumber) != 0) return (after & kNumber) == 0;
    return before == kOtherChar && last != '\'' && (after & (kSpace | kNumber)) != 0;
  }
};

class NoSplit final : public SplitPattern {
 public:
  std::size_t next(std::string_view text, std::size_t) const override { return text.size(); }
  std::size_t safe_prefix(std::string_view) const override { return 0; }
  std::string regex() const override { return {}; }
};

}  // namespace

std::unique_ptr<SplitPattern> make_gpt2_split(Digits digits) {
  return std::make_unique<Gpt2Split>(digits);
}

const Digits* gpt2_digits(const SplitPattern& split) {
  const auto* gpt2 = dynamic_cast<const Gpt2Split*>(&split);
  return gpt2 == nullptr ? nullptr : &gpt2->digits();
}

std::unique_ptr<SplitPattern> make_split_pattern(std::string_view name) {
  if (name == "gpt2") return make_gpt2_split(Digits::kWithSpace);
  if (name == "cl100k") return std::make_unique<Cl100kSplit>(3, true);
  if (name == "o200k") return std::make_unique<O200kSplit>();
  if (name == "none") return std::make_unique<NoSplit>();
  fail_usage("unknown split pattern '{}': there are gpt2, cl100k, o200k and none", printable(name));
}

std::unique_ptr<SplitPattern> make_regex_split(const std::string& regex, const std::string& where) {
  std::unique_ptr<SplitPattern> known[] = {
      make_gpt2_split(Digits::kWithSpace), std::make_unique<Cl100kSplit>(3, false),
      std::make_unique<Cl100kSplit>(1, false), std::make_unique<Cl100kSplit>(3, true),
      std::make_unique<O200kSplit>()};
  for (std::unique_ptr<SplitPattern>& split : known) {
    if (split->regex() == regex) return std::move(split);
  }
  return std::make_unique<RegexSplit>(regex, where);
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the array frees what is left in it

}  // namespace vkgpt::text
