#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vkgpt/text/tokenizer/split_pattern.hpp"

namespace vkgpt::text {

/// By name: "gpt2" (r50k_base and p50k_base too), "cl100k", "o200k" as tiktoken cuts, "none". Throws `Error`
/// for another.
std::unique_ptr<SplitPattern> make_split_pattern(std::string_view name);

/// How Hugging Face's "Digits" step, run before GPT-2's pattern, treats \p{N}.
enum class Digits { kWithSpace, kIndividual, kRuns };

/// GPT-2's pattern after a step that isolates digits (SmolLM2); `kWithSpace` is the pattern by itself.
std::unique_ptr<SplitPattern> make_gpt2_split(Digits digits);
/// The digits of a pattern that `make_gpt2_split` made; nothing for another pattern.
const Digits* gpt2_digits(const SplitPattern& split);

/// Any regular expression in Hugging Face's syntax. Known ones (GPT-2, cl100k, Llama 3, Qwen 2, o200k) get a
/// scanner of their own; PCRE2 runs the others, with limits, so that `next` throws `Error` where a pattern
/// backtracks without end; `where` names it in messages. Throws `Error` for one that PCRE2 refuses.
std::unique_ptr<SplitPattern> make_regex_split(const std::string& regex, const std::string& where);

}  // namespace vkgpt::text
