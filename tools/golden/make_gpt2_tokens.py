#!/usr/bin/env python3
"""Writes tests/golden/gpt2_tokens.json: tiktoken's tokens of texts, and a checksum of OpenAI's encoder.json.

    venv/bin/pip install tiktoken && venv/bin/python tools/golden/make_gpt2_tokens.py encoder.json r50k_base.tiktoken \
        tests/golden/gpt2_tokens.json
"""
import hashlib
import json
import random
import sys

import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tiktoken_ext import openai_public


def texts():
    rng = random.Random(21)
    yield from ["", " ", "Hello world", "The quick brown fox jumps over the lazy dog.", "<|endoftext|>", "  leading", "trailing  \n",
                "int main() {\n\treturn 0;\n}\n", "na\u00efve caf\u00e9 \u4e2d\u6587 \u0440\u0443\u0441\u0441\u043a\u0438\u0439", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "a" * 500, " " * 300,
                "\U0001f600" * 60, "=" * 200, "ab" * 100, "don't we'll I'VE", "3.14159 1,000,000", "\r\n\r\n \t x"]
    kinds = [lambda: chr(rng.randrange(128)), lambda: chr(rng.randrange(0x250)), lambda: chr(rng.randrange(0x3000)),
             lambda: chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])), lambda: rng.choice(" \n\t'"),
             lambda: rng.choice([" the", " of", "ing", "tion", " un", "er", "S", "ly "]), lambda: chr(rng.randrange(0x1F300, 0x1FAFF))]
    for _ in range(400):
        yield "".join(rng.choice(kinds)() for _ in range(rng.randint(1, 25)))


def main(encoder, ranks, path):
    openai_public.load_tiktoken_bpe = lambda *_, **__: load_tiktoken_bpe(ranks)
    encoding = tiktoken.Encoding(**openai_public.r50k_base())
    listing = "".join(f"{n} {token}\n" for token, n in sorted(json.load(open(encoder)).items(), key=lambda item: item[1]))
    with open(path, "w") as out:
        out.write('{"vocabulary_sha256":"' + hashlib.sha256(listing.encode()).hexdigest() + '","cases":[\n')
        out.write(",\n".join(json.dumps({"text": t, "tokens": encoding.encode_ordinary(t)}, separators=(",", ":")) for t in texts()))
        out.write("\n]}\n")


main(*sys.argv[1:])
