#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/corpus/documents.hpp"

namespace vkgpt::train {

/// What becomes of documents that are longer than a window.
enum class Overlong {
  kTruncate,  ///< their beginning stays
  kDrop,
  kError,
  kSplit,  ///< into documents of a window's length
};

/// "truncate", "drop", "error" or "split".
Overlong parse_overlong(std::string_view name);

/// Windows of T positions that hold whole documents. A document of n tokens takes n - 1 positions: each token
/// but the last is read, each but the first is a target.
class Packing {
 public:
  /// What was done to documents that do not fit.
  struct Report {
    std::uint64_t cut = 0;      ///< truncated or split
    std::uint64_t dropped = 0;  ///< too long
    std::uint64_t empty = 0;    ///< without anything to learn, also after they were cut
  };

  Packing() = default;
  /// `several`: documents share windows, the longest first, each in the window with the least room that has
  /// enough
  /// ("best fit decreasing"); windows stand in the order of their first documents. Else each has its own.
  /// Throws `Error` for the first document that is too long where `overlong` says so; `name` says of what.
  Packing(const text::Documents& documents, std::int64_t T, bool several, Overlong overlong,
          const std::string& name);

  /// The same of replies in pairs, documents 2k and 2k + 1: both in one window, one after the other, and at
  /// most `most` pairs a window. What is cut of a pair that is too long is shared out, the longer one first.
  static Packing of_pairs(const text::Documents& documents, std::int64_t T, std::int64_t most,
                          Overlong overlong, const std::string& name);

  std::size_t size() const { return first_.size() - 1; }
  /// The documents of a window, in order.
  std::span<const text::DocumentSpan> window(std::size_t index) const;
  /// Where its documents begin among those of all windows; of `size()` the number of all.
  std::size_t first_document(std::size_t index) const { return first_[index]; }
  /// Its positions that hold tokens.
  std::int64_t tokens(std::size_t index) const;
  std::int64_t T() const { return T_; }
  const Report& report() const { return report_; }

 private:
  std::vector<text::DocumentSpan> fitting(const text::Documents& documents, Overlong overlong,
                                          const std::string& name);
  void pack(std::vector<text::DocumentSpan> documents);
  void pack_pairs(std::vector<std::array<text::DocumentSpan, 2>> pairs, std::int64_t most);

  std::int64_t T_ = 0;
  std::vector<text::DocumentSpan> documents_;  // window by window
  std::vector<std::size_t> first_ = {0};       // of each window, and their end
  Report report_;
};

/// The windows of training and validation.
struct PackedSplits {
  std::array<Packing, 2> windows;
  bool replies_only = false;  ///< only what assistants say is a target
  std::int64_t pairs = 0;     ///< the most pairs of a window; 0: documents are no pairs
};

}  // namespace vkgpt::train
