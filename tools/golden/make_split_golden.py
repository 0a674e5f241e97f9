#!/usr/bin/env python3
"""Writes tests/golden/split_words.json: how tiktoken cuts texts into words, pattern by pattern.

    venv/bin/pip install tiktoken tokenizers && venv/bin/python tools/golden/make_split_golden.py tests/golden/split_words.json

tiktoken shows tokens only, so the words come from Hugging Face's engine (at the end of a text, where cl100k_base's
pattern in tiktoken differs from Hugging Face's, from the pattern that SplitPattern::regex() gives) and are confirmed by
tiktoken: with every word in its vocabulary it must give one token for each.
"""
import json
import random
import sys

import tiktoken
from tiktoken_ext import openai_public
from tokenizers import Regex, pre_tokenizers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?![\s\S])"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = "|".join([r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                  r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                  r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
# Without the possessive marks, whose absence changes no match.
CL100K_TIKTOKEN = (r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"""
                   r"""|\s+(?!\S)|\s""")
LLAMA3 = CL100K.replace(r"|\s+(?![\s\S])", "")
QWEN2 = LLAMA3.replace("{1,3}", "")
PATTERNS = {"gpt2": (GPT2, openai_public.r50k_pat_str), "cl100k": (CL100K, CL100K_TIKTOKEN), "o200k": (O200K, O200K),
            "llama3": (LLAMA3, None), "qwen2": (QWEN2, None)}
PIECES = ("'s 'S 'll 'lL 've 'Re 'd 'x ' '' \u017f '\u017f a b Z AB Ab \u00e9 \u01c5 \u02b0 \u0301 \u0903 \u4e2d \u3042 \u0e01 \u1e9e "
          "1 23 4567 \u00b2 \u0664 \u216b . , ! / // \\ _ - \u2014 \u20ac $ # \u200b \u200d \ufe0f \U0001f600 \U0001f468 "
          "\U0001f3fd \U00010400 \U00010428 \U0001e4ec \ue000").split(" ")
WHITE = [" ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\v", "\u00a0", "\u3000", "\u2028", "\u0085"]


def texts():
    rng = random.Random(4)
    fixed = ["", " ", "\n", "  \n", "a\n  ", "a  \n", " \n \n b", "'", "''s", "don't DON'T won'T", "x'\u017fy", "HelloWORLDFoo",
             "abc\u4e2dDEF", "\u0301ABC", "!\u0301\u0301", "a/b//c\n//d", "if (x) {\n\t\treturn 12345678;\n}\n"]
    for text in fixed:
        yield text
    for n in range(600):
        yield "".join(rng.choice(WHITE if rng.random() < 0.4 else PIECES) for _ in range(rng.randint(1, 9)))
    for n in range(200):
        yield "".join(chr(rng.choice([rng.randrange(128), rng.randrange(0x3000), rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)]))
                      for _ in range(rng.randint(1, 12)))


def words(regex, text):
    return [word for word, _ in pre_tokenizers.Split(Regex(regex), "isolated").pre_tokenize_str(text)]


def confirmed(pattern, cut, text):
    ranks = {bytes([i]): i for i in range(256)}
    for word in cut:
        ranks.setdefault(word.encode(), len(ranks))
    encoding = tiktoken.Encoding("probe", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary(text) == [ranks[word.encode()] for word in cut]


def main(path):
    cases = []
    for text in texts():
        case = {"text": text}
        for name, (regex, tiktoken_regex) in PATTERNS.items():
            cut = words(regex, text)
            if tiktoken_regex and not confirmed(tiktoken_regex, cut, text):
                raise SystemExit(f"{name}: tiktoken does not cut {text!r} into {cut}")
            case[name] = [len(word.encode()) for word in cut]
        for name in list(PATTERNS)[3:]:  # mostly as cl100k
            if case[name] == case["cl100k"]:
                del case[name]
        cases.append(json.dumps(case, ensure_ascii=True, separators=(",", ":")))
    with open(path, "w") as out:
        out.write('{"regex":' + json.dumps({name: regex for name, (regex, _) in PATTERNS.items()}) + ',"cases":[\n')
        out.write(",\n".join(cases) + "\n]}\n")
    print(len(cases), "texts")


main(sys.argv[1])
