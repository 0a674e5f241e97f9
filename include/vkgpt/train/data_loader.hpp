#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

namespace vkgpt::train {

/// Tokens that somebody else owns, stored in 16 or 32 bits.
class TokenView {
 public:
  TokenView() = default;
  TokenView(std::span<const std::uint16_t> tokens) : tokens_(tokens) {}  // NOLINT: a view, made implicitly
  TokenView(std::span<const std::int32_t> tokens) : tokens_(tokens) {}   // NOLINT

  std::size_t size() const;
  TokenView subview(std::size_t offset, std::size_t count) const;
  /// Copies tokens [offset, offset + out.size()).
  void copy(std::size_t offset, std::span<std::int32_t> out) const;

 private:
  std::variant<std::span<const std::uint16_t>, std::span<const std::int32_t>> tokens_;
};

enum class Split { kTrain, kValidation };

/// Random crops of T tokens, each with its targets one token later. It has no state: what a batch holds
/// follows from the seed and the arguments alone, so that a resumed run reads on exactly, and evaluations at
/// different steps read the same text.
class DataLoader {
 public:
  /// Throws `Error` when a split has fewer than T + 1 tokens. `validation` may be empty; it then has no
  /// batches.
  DataLoader(TokenView train, TokenView validation, std::int64_t T, std::uint64_t seed);

  /// The same with another T.
  DataLoader with_length(std::int64_t T) const { return {train_, validation_, T, seed_}; }

  /// The batch of one micro-step of an optimizer step, from the training split.
  /// tokens, targets: (B, T) with B = tokens.size() / T.
  void fill_train(std::uint64_t step, std::uint32_t micro_step, std::span<std::int32_t> tokens,
                  std::span<std::int32_t> targets) const;

  /// Batch `index` of an evaluation of `split`. tokens, targets: (B, T).
  void fill_eval(Split split, std::uint32_t index, std::span<std::int32_t> tokens,
                 std::span<std::int32_t> targets) const;

 private:
  TokenView train_;
  TokenView validation_;
  std::size_t T_;
  std::uint64_t seed_;
};

}  // namespace vkgpt::train
