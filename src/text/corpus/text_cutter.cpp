#include "vkgpt/text/corpus/text_cutter.hpp"

#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text {
namespace {

constexpr std::size_t kMaxPendingBytes = std::size_t{64} << 20;

}  // namespace

TextCutter::TextCutter(TextSource& source, SafePrefix safe_prefix)
    : source_(source), safe_prefix_(std::move(safe_prefix)) {}

std::optional<TextPiece> TextCutter::next() {
  while (auto piece = source_.next()) {
    if (pending_.empty()) {
      pending_ = std::move(piece->text);
    } else {
      pending_ += piece->text;
    }
    const std::size_t cut = piece->ends_document ? pending_.size() : safe_prefix_(pending_);
    if (cut > 0) {
      std::string rest = pending_.substr(cut);
      pending_.resize(cut);
      piece->text = std::exchange(pending_, std::move(rest));
      piece->offset -= pending_.size();
      return piece;
    }
    if (pending_.size() > kMaxPendingBytes) {
      fail("{}: no word ends within the {} MiB before byte {}: is it text? Then break it into files",
           printable(source_.inputs()[piece->input].path.string(), 200), kMaxPendingBytes >> 20,
           piece->offset);
    }
  }
  return std::nullopt;
}

}  // namespace vkgpt::text
