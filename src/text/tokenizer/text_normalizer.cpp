#include "text/tokenizer/text_normalizer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <utf8proc.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

#include "text/tokenizer/char_class.hpp"
#include "text/tokenizer/nfc.hpp"

namespace vkgpt::text {
namespace {

std::string apply(const TextNormalizer::Prepend& step, std::string_view text) {
  return text.empty() ? std::string() : step.text + std::string(text);
}

std::string apply(const TextNormalizer::Replace& step, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const RegexSplit::Match match = step.pattern->find(text, at);
    out += text.substr(at, match.begin - at);
    if (match.end > match.begin) out += step.content;
    at = match.end;
  }
  return out;
}

/// Maps the valid stretches of `text` by utf8proc.
std::string map_unicode(std::string_view text, int options) {
  if (text.size() > kMaxNormalizedBytes)
    fail("a text of {} bytes cannot be normalized in one piece", text.size());
  std::string out;
  while (!text.empty()) {
    const std::size_t invalid = find_invalid_utf8(text);
    const std::string_view valid = text.substr(0, invalid);
    utf8proc_uint8_t* mapped = nullptr;
    const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                                                 static_cast<utf8proc_ssize_t>(valid.size()), &mapped,
                                                 static_cast<utf8proc_option_t>(options));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    if (length < 0) fail("cannot normalize the text: {}", utf8proc_errmsg(length));
    out.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
    if (invalid == std::string_view::npos) break;
    out += text[invalid];
    text.remove_prefix(invalid + 1);
  }
  return out;
}

std::string apply(const TextNormalizer::Unicode& step, std::string_view text) {
  return map_unicode(text, step.options);
}

std::string apply(const TextNormalizer::Lowercase&, std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (c.length == 0) {
      out += text[at++];
      continue;
    }
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code_point))));
    at += c.length;
  }
  return out;
}

std::string apply(const TextNormalizer::Strip& step, std::string_view text) {
  const std::uint8_t* table = char_class_table();
  while (step.left && !text.empty() && (classed_char(text, 0, table).bits & kWhite) != 0) {
    text.remove_prefix(classed_char(text, 0, table).length);
  }
  while (step.right && !text.empty()) {
    const ClassedChar last = classed_char_before(text, text.size(), table);
    if ((last.bits & kWhite) == 0) break;
    text.remove_suffix(last.length);
  }
  return std::string(text);
}

std::string apply(const std::shared_ptr<const CharacterMap>& map, std::string_view text) {
  return map->apply(text);
}

bool keeps_beginning(const TextNormalizer::Replace& step, std::string_view text) {
  const RegexSplit::Match match = step.pattern->find(text, 0);
  if (match.begin > 0 || match.end == 0) return true;
  return !step.content.empty() && match.end <= std::max<std::size_t>(1, decode_utf8(text, 0).length);
}

bool keeps_beginning(const TextNormalizer::Strip& step, std::string_view text) {
  return !step.left || (classed_char(text, 0, char_class_table()).bits & kWhite) == 0;
}

bool keeps_beginning(const auto& /*step*/, std::string_view /*text*/) {
  return true;
}

/// The end of the grapheme cluster that begins at `at`.
std::size_t grapheme_end(std::string_view text, std::size_t at) {
  Utf8Char before = decode_utf8(text, at);
  std::size_t end = at + std::max<std::size_t>(1, before.length);
  utf8proc_int32_t state = 0;
  while (before.length > 0 && end < text.size()) {
    const Utf8Char after = decode_utf8(text, end);
    if (after.length == 0 ||
        utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before.code_point),
                                         static_cast<utf8proc_int32_t>(after.code_point), &state)) {
      break;
    }
    end += after.length;
    before = after;
  }
  return end;
}

}  // namespace

CharacterMap::CharacterMap(std::string_view bytes, const std::string& where) {
  std::uint32_t size = 0;
  if (bytes.size() < sizeof(size)) fail("{}: \"precompiled_charsmap\" is cut short", where);
  std::memcpy(&size, bytes.data(), sizeof(size));
  bytes.remove_prefix(sizeof(size));
  if (size > bytes.size() || size % sizeof(std::uint32_t) != 0) {
    fail("{}: \"precompiled_charsmap\" is cut short", where);
  }
  trie_.resize(size / sizeof(std::uint32_t));
  std::memcpy(trie_.data(), bytes.data(), size);
  texts_ = bytes.substr(size);
}

// The units are those of Darts-clone (Yata): offset, label and whether a value follows.
bool CharacterMap::replace(std::string_view part, std::string& out) const {
  const auto unit = [&](std::size_t at) { return at < trie_.size() ? trie_[at] : 0U; };
  const auto offset = [](std::uint32_t u) -> std::size_t { return (u >> 10U) << ((u & (1U << 9U)) >> 6U); };
  std::size_t node = offset(unit(0));
  for (const char c : part) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return false;
    node ^= byte;
    const std::uint32_t u = unit(node);
    if ((u & (1U << 31U | 0xffU)) != byte) return false;
    node ^= offset(u);
    if ((u >> 8U & 1U) == 0) continue;
    const std::size_t text = unit(node) & ((1U << 31U) - 1);
    if (text >= texts_.size()) return false;
    out += std::string_view(texts_).substr(text, texts_.find('\0', text) - text);
    return true;
  }
  return false;
}

std::string CharacterMap::apply(std::string_view text) const {
  constexpr std::size_t kWholeBytes = 5;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = grapheme_end(text, at);
    if (end - at <= kWholeBytes && replace(text.substr(at, end - at), out)) {
      at = end;
      continue;
    }
    while (at < end) {
      const std::size_t length = std::max<std::size_t>(1, decode_utf8(text, at).length);
      if (!replace(text.substr(at, length), out)) out += text.substr(at, length);
      at += length;
    }
  }
  return out;
}

std::string TextNormalizer::apply(std::string_view text, bool continues) const {
  std::string out(text);
  for (const Step& step : steps_) {
    if (continues && std::holds_alternative<Prepend>(step)) continue;
    out = std::visit([&](const auto& one) { return vkgpt::text::apply(one, out); }, step);
  }
  return out;
}

bool TextNormalizer::keeps_beginning(std::string_view text) const {
  std::string now(text);
  for (const Step& step : steps_) {
    if (now.empty()) return true;
    if (!std::visit([&](const auto& one) { return vkgpt::text::keeps_beginning(one, now); }, step))
      return false;
    now = std::visit([&](const auto& one) { return vkgpt::text::apply(one, now); }, step);
  }
  return true;
}

}  // namespace vkgpt::text
