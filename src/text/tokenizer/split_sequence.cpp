#include "text/tokenizer/split_sequence.hpp"

#include "text/tokenizer/char_class.hpp"
#include "text/tokenizer/prove_cut.hpp"

namespace vkgpt::text {

std::size_t DigitSplit::next(std::string_view text, std::size_t at) const {
  const std::uint8_t* table = char_class_table();
  ClassedChar c = classed_char(text, at, table);
  const bool number = (c.bits & kNumber) != 0;
  at += c.length;
  if (number && individual_) return at;
  for (; at < text.size(); at += c.length) {
    c = classed_char(text, at, table);
    if (((c.bits & kNumber) != 0) != number) break;
  }
  return at;
}

std::size_t DigitSplit::safe_prefix(std::string_view text) const {
  const std::uint8_t* table = char_class_table();
  for (std::size_t at = text.size(); at > 1;) {
    --at;
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x80) continue;
    const bool after = (classed_char(text, at, table).bits & kNumber) != 0;
    if (after != ((classed_char_before(text, at, table).bits & kNumber) != 0)) return at;
  }
  return 0;
}

std::size_t DigitSplit::cut_open(std::string_view text,
                                 const std::function<void(std::size_t end)>& on_word) const {
  const std::uint8_t* table = char_class_table();
  for (std::size_t at = 0; at < text.size();) {
    const bool number = (classed_char(text, at, table).bits & kNumber) != 0;
    const std::size_t end = next(text, at);
    if (end == text.size() && !(number && individual_)) return number ? at : end;
    on_word(at = end);
  }
  return text.size();
}

void SplitSequence::cut_from(std::size_t step, std::string_view text, std::size_t offset,
                             const std::function<void(std::size_t)>& on_word) const {
  std::size_t begin = 0;
  steps_[step]->cut(text, [&](std::size_t end) {
    if (step + 1 == steps_.size()) {
      on_word(offset + end);
    } else {
      cut_from(step + 1, text.substr(begin, end - begin), offset + begin, on_word);
    }
    begin = end;
  });
}

void SplitSequence::cut(std::string_view text, const std::function<void(std::size_t)>& on_word) const {
  cut_from(0, text, 0, on_word);
}

std::size_t SplitSequence::next(std::string_view text, std::size_t at) const {
  std::string_view word = text.substr(at);
  for (const auto& step : steps_) word = word.substr(0, step->next(word, 0));
  return at + word.size();
}

std::size_t SplitSequence::last_cut(std::string_view text,
                                    const std::function<bool(std::size_t at)>& accept) const {
  std::vector<const SplitPattern*> steps;
  for (const auto& step : steps_) steps.push_back(step.get());
  return prove_cut(*this, steps, text, accept);
}

std::size_t SplitSequence::safe_prefix(std::string_view text) const {
  return last_cut(text, [](std::size_t) { return true; });
}

std::string SplitSequence::regex() const {
  std::string all;
  for (const auto& step : steps_) all += (all.empty() ? "" : "\n") + step->regex();
  return all;
}

}  // namespace vkgpt::text
