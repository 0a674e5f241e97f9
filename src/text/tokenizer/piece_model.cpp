#include "text/tokenizer/piece_model.hpp"

#include <algorithm>

#include "text/tokenizer/char_class.hpp"
#include "text/tokenizer/regex_split.hpp"

namespace vkgpt::text {

void PieceModel::append(std::string_view text, bool begins, std::vector<Token>& out) const {
  append_step(0, text, begins, out);
}

void PieceModel::append_step(std::size_t step, std::string_view text, bool begins,
                             std::vector<Token>& out) const {
  if (text.empty()) return;
  if (step == steps.size()) return bpe ? bpe->append_word(text, out) : unigram->append_word(text, out);
  if (const auto* meta = std::get_if<Metaspace>(&steps[step])) {
    return append_metaspace(*meta, step, text, begins, out);
  }
  if (const auto* split = std::get_if<std::shared_ptr<const SplitPattern>>(&steps[step])) {
    std::size_t begin = 0;
    (*split)->cut(text, [&](std::size_t end) {
      append_step(step + 1, text.substr(begin, end - begin), begins && begin == 0, out);
      begin = end;
    });
    return;
  }
  const std::uint8_t* table = char_class_table();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const ClassedChar c = classed_char(text, at, table);
    if ((c.bits & kWhite) != 0) {
      append_step(step + 1, text.substr(begin, at - begin), begins && begin == 0, out);
      begin = at + c.length;
    }
    at += c.length;
  }
  append_step(step + 1, text.substr(begin), begins && begin == 0, out);
}

void PieceModel::append_metaspace(const Metaspace& meta, std::size_t step, std::string_view text, bool begins,
                                  std::vector<Token>& out) const {
  std::string words;
  const bool prepends_here =
      meta.prepend == Metaspace::Prepend::kAlways || (meta.prepend == Metaspace::Prepend::kFirst && begins);
  if (prepends_here && text[0] != ' ' && !text.starts_with(meta.replacement)) words = meta.replacement;
  for (const char c : text) {
    if (c == ' ') {
      words += meta.replacement;
    } else {
      words += c;
    }
  }
  const std::string_view all = words;
  std::size_t begin = 0;
  while (meta.split && begin < all.size()) {
    const std::size_t end = std::min(all.find(meta.replacement, begin + 1), all.size());
    append_step(step + 1, all.substr(begin, end - begin), begins && begin == 0, out);
    begin = end;
  }
  append_step(step + 1, all.substr(begin), begins && begin == 0, out);
}

bool PieceModel::begins_text(std::string_view text) const {
  const bool asked = std::ranges::any_of(steps, [](const PieceStep& step) {
    const auto* meta = std::get_if<Metaspace>(&step);
    return meta != nullptr && meta->prepend == Metaspace::Prepend::kFirst;
  });
  return !asked || normalizer.keeps_beginning(text);
}

bool PieceModel::cuts_before_space(char last) const {
  if (strips) return false;
  for (const PieceStep& step : steps) {
    if (std::holds_alternative<WhiteSplit>(step)) return true;
    if (const auto* meta = std::get_if<Metaspace>(&step)) {
      if (meta->split) return true;
    } else {
      const auto& split = std::get<std::shared_ptr<const SplitPattern>>(step);
      if (!shows_spaces || split->regex() != literal_regex(" ")) return false;  // else it finds nothing
    }
  }
  return bpe && !bpe->may_join(std::string(1, last) + "\u2581", 1);
}

}  // namespace vkgpt::text
