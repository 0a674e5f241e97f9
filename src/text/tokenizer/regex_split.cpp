#include "text/tokenizer/regex_split.hpp"

#include <algorithm>
#include <array>
#include <utility>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/prove_cut.hpp"

namespace vkgpt::text {
namespace {

constexpr std::size_t kMaxRegexBytes = 1 << 14;
constexpr std::size_t kMatchLimit = 1'000'000;  // steps for one word, at least
constexpr std::size_t kStepsPerByte = 16;       // of what is left: a long word takes some of each
constexpr std::uint32_t kHeapKib = 64 << 10;
constexpr std::size_t kJitStackBytes = 1 << 20;

/// What a match needs besides the pattern; one for each thread.
class Scratch {
 public:
  Scratch()
      : match(pcre2_match_data_create(1, nullptr)),
        context(pcre2_match_context_create(nullptr)),
        stack(pcre2_jit_stack_create(1 << 15, kJitStackBytes, nullptr)) {
    VKGPT_CHECK(match != nullptr && context != nullptr && stack != nullptr);
    pcre2_set_heap_limit(context, kHeapKib);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
  }

  pcre2_match_data* match;
  pcre2_match_context* context;
  pcre2_jit_stack* stack;
};

std::string reason_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return printable(reinterpret_cast<const char*>(text.data()), 200);
}

/// "{1,3}+": possessive for PCRE2, one more repetition for Ruby.
bool has_possessive_interval(std::string_view regex) {
  for (std::size_t close = regex.find("}+"); close != regex.npos; close = regex.find("}+", close + 1)) {
    const std::size_t open = regex.rfind('{', close);
    if (open != regex.npos &&
        regex.substr(open, close - open).find_first_not_of("{0123456789,") == regex.npos) {
      return true;
    }
  }
  return false;
}

/// Hugging Face's engine is Oniguruma with Ruby's syntax. Where the same characters mean something else to
/// PCRE2, guessing would give other words without a warning.
void refuse_other_dialect(std::string_view regex, std::string_view where) {
  std::string_view found = has_possessive_interval(regex) ? "{...}+" : "";
  for (const std::string_view part : {"&&", "\\h", "\\H", "\\X", "\\G", "\\K", "(?m", "(*"}) {
    if (regex.find(part) != regex.npos) found = part;
  }
  if (!found.empty()) {
    fail("{}: the split pattern uses '{}', which PCRE2 reads in another way than Hugging Face: '{}'", where,
         found, printable(regex));
  }
}

}  // namespace

void RegexSplit::FreeCode::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

RegexSplit::RegexSplit(std::string regex, std::string where, SplitBehavior behavior)
    : regex_(std::move(regex)), where_(std::move(where)), behavior_(behavior) {
  if (regex_.empty() || regex_.size() > kMaxRegexBytes) {
    fail("{}: a split pattern of {} bytes; from 1 to {} are read", where_, regex_.size(), kMaxRegexBytes);
  }
  refuse_other_dialect(regex_, where_);
  int error = 0;
  PCRE2_SIZE offset = 0;
  const auto* bytes = reinterpret_cast<PCRE2_SPTR>(regex_.data());
  code_.reset(pcre2_compile(
      bytes, regex_.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
      &offset, nullptr));
  if (!code_) {
    fail("{}: cannot read the split pattern '{}': {} at byte {}", where_, printable(regex_), reason_of(error),
         offset);
  }
  jit_ = pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) == 0;
  std::uint32_t lookbehind = 1;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_MAXLOOKBEHIND, &lookbehind);
  looks_behind_ = lookbehind > 0;
}

int RegexSplit::run(std::string_view text, std::size_t at, std::uint32_t options, Match& found) const {
  thread_local const Scratch scratch;
  const auto* bytes = reinterpret_cast<PCRE2_SPTR>(text.data());
  const auto match = jit_ ? pcre2_jit_match : pcre2_match;
  const std::size_t limit =
      std::clamp<std::size_t>((text.size() - at) * kStepsPerByte, kMatchLimit, UINT32_MAX);
  pcre2_set_match_limit(scratch.context, static_cast<std::uint32_t>(limit));
  const int rc =
      match(code_.get(), bytes, text.size(), at, PCRE2_NOTEMPTY | options, scratch.match, scratch.context);
  found = {.begin = text.size(), .end = text.size()};
  if (rc == PCRE2_ERROR_NOMATCH) return rc;
  if (rc < 0 && rc != PCRE2_ERROR_PARTIAL) {
    fail("{}: the split pattern '{}' needs too long for the text at byte {}: {}", where_, printable(regex_),
         at, reason_of(rc));
  }
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(scratch.match);
  found = {.begin = ends[0], .end = ends[1]};
  return rc;
}

RegexSplit::Match RegexSplit::find(std::string_view text, std::size_t at) const {
  Match found;
  // A lookbehind or \K cannot move a match before `at`, but what a pattern does is not ours to trust.
  if (run(text, at, 0, found) >= 0)
    VKGPT_CHECK(found.begin >= at && found.end > found.begin && found.end <= text.size());
  return found;
}

// PCRE2 says "partial" as soon as a match looks beyond the text: what it finds otherwise stays.
RegexSplit::OpenMatch RegexSplit::find_open(std::string_view text, std::size_t at) const {
  Match found;
  const int rc = run(text, at, PCRE2_PARTIAL_HARD, found);
  if (rc >= 0) VKGPT_CHECK(found.begin >= at && found.end > found.begin && found.end <= text.size());
  return {.match = found, .complete = rc >= 0};
}

std::size_t RegexSplit::cut_open(std::string_view text,
                                 const std::function<void(std::size_t end)>& on_word) const {
  const bool isolated = behavior_ == SplitBehavior::kIsolated || behavior_ == SplitBehavior::kRemoved;
  if (!isolated || looks_behind_) return 0;
  // Bytes that are not UTF-8 end matches as the end of a text does.
  std::size_t valid = 0;
  for (std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos;
       bad = find_invalid_utf8(text.substr(valid))) {
    valid += bad + 1;
  }
  for (std::size_t at = 0; at < text.size();) {
    OpenMatch next{.match = {.begin = valid, .end = valid}, .complete = true};
    if (at < valid) next.match = find(text.substr(0, valid), at);
    if (next.match.begin == valid) next = find_open(text, std::max(at, valid));
    if (!next.complete) return std::max(at, next.match.begin);
    if (next.match.begin > at) on_word(next.match.begin);
    on_word(at = next.match.end);
  }
  return text.size();
}

std::size_t RegexSplit::last_cut(std::string_view text,
                                 const std::function<bool(std::size_t at)>& accept) const {
  return prove_cut(*this, {this}, text, accept);
}

std::size_t RegexSplit::safe_prefix(std::string_view text) const {
  return last_cut(text, [](std::size_t) { return true; });
}

std::size_t RegexSplit::next(std::string_view text, std::size_t at) const {
  const Match match = find(text, at);
  switch (behavior_) {
    case SplitBehavior::kMergedWithPrevious:
      return match.end;
    case SplitBehavior::kMergedWithNext:
      return match.begin > at ? match.begin : find(text, match.end).begin;
    case SplitBehavior::kContiguous: {
      if (match.begin > at) return match.begin;
      std::size_t end = match.end;
      for (Match more = find(text, end); more.begin == end && more.end > end; more = find(text, end)) {
        end = more.end;
      }
      return end;
    }
    case SplitBehavior::kIsolated:
    case SplitBehavior::kRemoved:  // only patterns that match everything get here with it
      break;
  }
  return match.begin > at ? match.begin : match.end;
}

std::string literal_regex(std::string_view text) {
  std::string regex;
  for (const char c : text) {
    if (std::string_view(R"(\^$.[]|()?*+{}-#/&~)").find(c) != std::string_view::npos) regex += '\\';
    regex += c;
  }
  return regex;
}

}  // namespace vkgpt::text
