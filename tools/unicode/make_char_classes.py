#!/usr/bin/env python3
"""Writes src/text/char_class_runs.cpp: which characters tiktoken's regular expressions take for letters, marks,
numbers and white space, over all code points.

    venv/bin/pip install tiktoken tokenizers && venv/bin/python tools/unicode/make_char_classes.py src/text/char_class_runs.cpp

Also compares with the engine of Hugging Face's tokenizers and says where it differs (tiktoken 0.14 and tokenizers
0.23.3: nowhere; both have Unicode 16).
"""
import sys
import textwrap
import tiktoken
from tokenizers import Regex, pre_tokenizers

# The bits of vkgpt::text::CharClass (include/vkgpt/text/char_class.hpp).
CLASSES = [(r"[\p{Lu}\p{Lt}]", 1), (r"\p{Ll}", 2), (r"[\p{Lm}\p{Lo}]", 4), (r"\p{M}", 8), (r"\p{N}", 16),
           (r"[\r\n]", 64), (r"\s", 32)]
OTHER = 128
RANKS = {bytes([i]): i for i in range(256)}
EVERY = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = "".join(map(chr, EVERY))


def seen_by_tiktoken(pattern):
    """What a pattern does not match, tiktoken drops."""
    encoding = tiktoken.Encoding("probe", pat_str=pattern, mergeable_ranks=RANKS, special_tokens={})
    return set(map(ord, bytes(encoding.encode_ordinary(TEXT)).decode()))


def seen_by_tokenizers(pattern):
    kept = pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(TEXT)
    return set(EVERY) - {ord(c) for part, _ in kept for c in part}


def main(path):
    bits = [0] * 0x110000
    for pattern, bit in CLASSES:
        seen = seen_by_tiktoken(pattern)
        differ = seen ^ seen_by_tokenizers(pattern)
        print(f"{pattern}: {len(seen)} characters; tokenizers differs in {len(differ)}", sorted(map(hex, differ))[:5])
        for c in seen:
            assert bits[c] == 0 or (bits[c], bit) == (64, 32)
            bits[c] = bits[c] or bit
    runs = []
    for c in range(0x110000):
        bit = bits[c] or OTHER
        if runs and runs[-1][1] == bit:
            runs[-1][0] += 1
        else:
            runs.append([1, bit])
    body = textwrap.fill(", ".join(str(n * 256 + bit) for n, bit in runs), 106, initial_indent="    ", subsequent_indent="    ")
    with open(path, "w") as out:
        out.write("// Made by tools/unicode/make_char_classes.py (Unicode 16, as tiktoken 0.14 has it): do not edit.\n")
        out.write('#include "vkgpt/text/char_class.hpp"\n\nnamespace vkgpt::text {\n\n// clang-format off\n')
        out.write(f"namespace {{\nconstexpr std::uint32_t kRuns[] = {{  // length * 256 + class, from U+0000 on\n{body}}};\n}}\n")
        out.write("// clang-format on\n\nstd::span<const std::uint32_t> char_class_runs() {\n  return kRuns;\n}\n\n}  // namespace vkgpt::text\n")
    print(len(runs), "runs")


main(sys.argv[1])
