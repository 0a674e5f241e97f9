#include "vkgpt/core/message.hpp"

#include "vkgpt/core/utf8.hpp"

namespace vkgpt {

std::string message_line(std::string_view text) {
  constexpr std::size_t kMaxBytes = 800;
  constexpr std::size_t kBegin = 400;
  constexpr std::size_t kEnd = 300;
  std::string line = printable(text, std::string_view::npos);
  if (line.size() <= kMaxBytes) return line;
  const std::string_view all = line;
  const std::string_view head = all.substr(0, complete_utf8_prefix(all.substr(0, kBegin)));
  std::size_t tail = all.size() - kEnd;
  while (decode_utf8(all, tail).length == 0) ++tail;
  return std::string(head) + " ... " + std::string(all.substr(tail));
}

}  // namespace vkgpt
