#include "text/tokenizer/added_tokens.hpp"

#include <algorithm>

#include <utf8proc.h>

#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/char_class.hpp"

namespace vkgpt::text {
namespace {

/// Whether a character is one of a word, Rust's \w: letters, marks, decimal digits, connectors, joiners.
bool is_word(char32_t c) {
  if (c == 0x200c || c == 0x200d) return true;
  if ((c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f189)) return true;  // letters in circles
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

bool word_at(std::string_view text, std::size_t at) {
  const Utf8Char c = decode_utf8(text, at);
  return c.length > 0 && is_word(c.code_point);
}

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && word_at(text, at - classed_char_before(text, at, char_class_table()).length);
}

bool word_after(std::string_view text, std::size_t at) {
  return at < text.size() && word_at(text, at);
}

bool white_at(std::string_view text, std::size_t at) {
  return at < text.size() && (classed_char(text, at, char_class_table()).bits & kWhite) != 0;
}

/// The beginning of the white space that ends before `at`.
std::size_t white_begin(std::string_view text, std::size_t at) {
  while (at > 0) {
    const ClassedChar c = classed_char_before(text, at, char_class_table());
    if ((c.bits & kWhite) == 0) break;
    at -= c.length;
  }
  return at;
}

std::size_t white_end(std::string_view text, std::size_t at) {
  while (white_at(text, at)) at += classed_char(text, at, char_class_table()).length;
  return at;
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view name) {
  if (name.empty()) return;
  names_.add(name, token.token);
  flags_.resize(std::max(flags_.size(), static_cast<std::size_t>(token.token) + 1));
  flags_[static_cast<std::size_t>(token.token)] = {.in_text = token.in_text,
                                                   .single_word = token.single_word,
                                                   .lstrip = token.lstrip,
                                                   .rstrip = token.rstrip};
  strips_ |= token.lstrip || token.rstrip;
  looks_around_ |= token.single_word;
}

void AddedTokenFinder::cut(std::string_view text, const std::function<void(std::string_view)>& on_text,
                           const std::function<void(Token)>& on_token, const Accept& accept) const {
  std::size_t taken = 0;
  for (std::size_t at = 0; at < text.size();) {
    const NameFinder::Match match = names_.find(text, at);
    if (match.token < 0) break;
    if (accept && !accept(match.token, match.begin, match.end)) {
      at = match.begin + 1;
      continue;
    }
    at = match.end;
    const Flags& rules = flags(match.token);
    if (rules.single_word && (word_before(text, match.begin) || word_after(text, match.end))) continue;
    std::size_t begin = std::max(match.begin, taken);
    if (rules.lstrip) begin = std::max(white_begin(text, match.begin), taken);
    if (begin > taken) on_text(text.substr(taken, begin - taken));
    on_token(match.token);
    taken = std::max(taken, rules.rstrip ? white_end(text, match.end) : match.end);
  }
  if (taken < text.size()) on_text(text.substr(taken));
}

bool AddedTokenFinder::may_cross(std::string_view text, std::size_t at) const {
  if (names_.empty()) return false;
  if (names_.may_cross(text, at, looks_around_)) return true;
  return strips_ && (white_at(text, at) || white_begin(text, at) < at);
}

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens, bool all, const Normalize& normalize) {
  for (const AddedToken& token : tokens) {
    if (!all && !token.in_text) continue;
    if (token.normalized) {
      normalized_.add(token, normalize(token.name));
      before_normalizing_.add(token, token.name);
    } else {
      raw_.add(token, token.name);
    }
  }
}

AddedTokenFinder::Accept AddedTokens::accept_raw(const MayName& may_name) const {
  if (!may_name) return {};
  return [this, &may_name](Token token, std::size_t begin, std::size_t end) {
    return raw_.in_text(token) || may_name(begin, end);
  };
}

AddedTokenFinder::Accept AddedTokens::accept_normalized(std::string_view part, std::size_t begin,
                                                        std::string_view normalized,
                                                        const MayName& may_name) const {
  if (!may_name) return {};
  const auto ignore = [](auto) {};
  std::vector<std::pair<Token, bool>> allowed;
  before_normalizing_.cut(part, ignore, ignore, [&](Token token, std::size_t from, std::size_t to) {
    allowed.emplace_back(token, normalized_.in_text(token) || may_name(begin + from, begin + to));
    return true;
  });
  std::size_t found = 0;
  bool same = true;
  normalized_.cut(normalized, ignore, ignore, [&](Token token, std::size_t, std::size_t) {
    same = same && found < allowed.size() && allowed[found].first == token;
    ++found;
    return true;
  });
  same = same && found == allowed.size();
  if (same && std::ranges::all_of(allowed, &std::pair<Token, bool>::second)) return {};
  if (!same) return [this](Token token, std::size_t, std::size_t) { return normalized_.in_text(token); };
  // Inside a name that does not count others may begin, which were not listed.
  return [allowed = std::move(allowed), next = std::size_t{0}, end = std::size_t{0}](Token, std::size_t from,
                                                                                     std::size_t to) mutable {
    if (from < end || next >= allowed.size()) return false;
    end = to;
    return allowed[next++].second;
  };
}

}  // namespace vkgpt::text
