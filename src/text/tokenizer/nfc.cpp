#include "text/tokenizer/nfc.hpp"

#include <cstdlib>
#include <memory>

#include <utf8proc.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

/// `text` is valid.
void append_nfc(std::string& out, std::string_view text) {
  if (text.size() > kMaxNormalizedBytes)
    fail("a text of {} bytes cannot be normalized in one piece", text.size());
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
      &composed, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (length < 0) fail("cannot normalize the text to NFC: {}", utf8proc_errmsg(length));
  out.append(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(length));
}

}  // namespace

bool is_plainly_nfc(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0xcc) return false;
  }
  return true;
}

std::string to_nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t invalid = find_invalid_utf8(text);
    append_nfc(out, text.substr(0, invalid));
    if (invalid == text.npos) break;
    out += text[invalid];
    text.remove_prefix(invalid + 1);
  }
  return out;
}

}  // namespace vkgpt::text
