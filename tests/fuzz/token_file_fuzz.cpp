#include <algorithm>
#include <array>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/text/corpus/token_file.hpp"
#include "vkgpt/text/corpus/token_view.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(token_file) {
  constexpr std::int64_t kVocabSize = 1000;
  const text::TokenFile file(write_input("tokens.bin", input));
  const std::array pieces = {text::whole(file)};
  std::vector<text::Token> tokens(file.size());
  text::TokenView(pieces, kVocabSize).copy(0, tokens);
  VKGPT_CHECK(std::ranges::all_of(tokens, [](text::Token t) { return t >= 0 && t < kVocabSize; }));
}

}  // namespace vkgpt::fuzz
