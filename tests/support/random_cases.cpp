#include "support/random_cases.hpp"

#include <string_view>

#include "vkgpt/core/utf8.hpp"

namespace vkgpt::test {

char32_t Random::character() {
  constexpr std::u32string_view kWords = U"etaoin shrdlu, 'll don't THE 1234567890\n\t .";
  constexpr std::u32string_view kOdd =
      U"\u00e9\u00df\u0301\u4e2d\u6587\u0627\u0928\u00a0\u2028\U0001f600\U0010ffff";
  const double kind = uniform();
  if (kind < 0.8) return pick(kWords);
  if (kind < 0.9) return pick(kOdd);
  if (kind < 0.95) return static_cast<char32_t>(below(0x80));
  const auto any = static_cast<char32_t>(below(0x110000));
  return any >= 0xd800 && any < 0xe000 ? U' ' : any;
}

std::string Random::text(std::size_t max_characters) {
  std::string text;
  for (std::size_t left = below(max_characters + 1); left > 0; --left) append_utf8(text, character());
  return text;
}

}  // namespace vkgpt::test
