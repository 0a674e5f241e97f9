#!/usr/bin/env python3
"""Encoding speed of vkgpt, tiktoken and Hugging Face's tokenizers with GPT-2's vocabulary, in one run.

    venv/bin/python tools/interop/tokenizer_speed.py build/vkgpt --ranks DIR TEXT...

DIR holds r50k_base.tiktoken. Times are of encoding alone, the median of several; threads as named. Then texts that are
one long word, which must not be slower than a third of prose.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import sys

sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != pathlib.Path(__file__).resolve().parent]

REPEAT = 7


def median(run):
    seconds = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def vkgpt(program, path, threads):
    out = subprocess.run([program, "tokenizer", "encode", str(path), f"--threads={threads}", f"--repeat={REPEAT}", "--json"],
                         check=True, capture_output=True).stdout
    return json.loads(out)["seconds"]


def lines_in_parts(text, count):
    """About equal parts that end at lines: what Hugging Face's batches share out to threads."""
    lines = text.splitlines(keepends=True)
    size = -(-len(lines) // count)
    return ["".join(lines[i:i + size]) for i in range(0, len(lines), size)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("texts", type=pathlib.Path, nargs="+")
    parser.add_argument("--ranks", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe
    from tiktoken_ext import openai_public
    from tokenizers import Tokenizer
    openai_public.load_tiktoken_bpe = lambda *_, **__: load_tiktoken_bpe(str(args.ranks / "r50k_base.tiktoken"))
    encoding = tiktoken.Encoding(**openai_public.r50k_base())
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([args.program, "tokenizer", "info", "--tokenizer", "gpt2", "--save", directory], check=True,
                       stdout=subprocess.DEVNULL)
        fast = Tokenizer.from_file(directory + "/tokenizer.json")
        prose = None
        for path in args.texts:
            text = path.read_text(errors="replace")
            parts = lines_in_parts(text, 64)
            size = len(text.encode()) / 1e6
            ours = {n: size / vkgpt(args.program, path, n) for n in (1, args.threads)}
            theirs = size / median(lambda: encoding.encode_ordinary(text))
            batch = size / median(lambda: fast.encode_batch_fast(parts, add_special_tokens=False))
            prose = prose or ours[1]
            print(f"{path.name}: vkgpt {ours[1]:.1f} MB/s, {args.threads} threads {ours[args.threads]:.1f}; tiktoken {theirs:.1f}; "
                  f"tokenizers, {args.threads} threads, {batch:.1f}; vkgpt / tiktoken {ours[1] / theirs:.1f}, "
                  f"vkgpt / tokenizers {ours[args.threads] / batch:.1f}", flush=True)
        for what in ("a", " ", "\U0001f600", "\U0001f600\U0001f468\U0001f680", "\u4e2d\u6587", "ab", "="):
            word = pathlib.Path(directory) / "word"
            word.write_bytes((what * (1 << 20)).encode()[:1 << 20])
            speed = word.stat().st_size / 1e6 / vkgpt(args.program, word, 1)
            print(f"1 MiB of {what!r}: {speed:.1f} MB/s, prose is {prose / speed:.2f} times that", flush=True)


main()
