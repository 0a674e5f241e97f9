#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "vkgpt/text/tokenizer/split_pattern.hpp"

namespace vkgpt::text {

/// Cuts digits off, one by one or in runs: Hugging Face's step "Digits".
class DigitSplit final : public SplitPattern {
 public:
  explicit DigitSplit(bool individual) : individual_(individual) {}

  bool individual() const { return individual_; }
  std::size_t next(std::string_view text, std::size_t at) const override;
  std::size_t safe_prefix(std::string_view text) const override;
  std::size_t cut_open(std::string_view text,
                       const std::function<void(std::size_t end)>& on_word) const override;
  std::string regex() const override { return individual_ ? R"(\p{N})" : R"(\p{N}+)"; }

 private:
  bool individual_;
};

/// Several steps: each cuts the words of the one before it, and sees nothing beyond them.
class SplitSequence final : public SplitPattern {
 public:
  /// At least one step.
  explicit SplitSequence(std::vector<std::unique_ptr<SplitPattern>> steps) : steps_(std::move(steps)) {}

  const std::vector<std::unique_ptr<SplitPattern>>& steps() const { return steps_; }
  void cut(std::string_view text, const std::function<void(std::size_t)>& on_word) const override;
  /// `at` is the end of a word of the first step, or 0.
  std::size_t next(std::string_view text, std::size_t at) const override;
  /// By trial, see `prove_cut`.
  std::size_t safe_prefix(std::string_view text) const override;
  std::size_t last_cut(std::string_view text,
                       const std::function<bool(std::size_t at)>& accept) const override;
  /// The steps' expressions, one a line.
  std::string regex() const override;

 private:
  void cut_from(std::size_t step, std::string_view text, std::size_t offset,
                const std::function<void(std::size_t)>& on_word) const;

  std::vector<std::unique_ptr<SplitPattern>> steps_;
};

}  // namespace vkgpt::text
