#!/usr/bin/env python3
"""Compares the merges of `vkgpt tokenizer train` with those of Hugging Face's tokenizers, and their speed.

usage: bpe_train.py VKGPT TEXT...          (needs tokenizers)
       bpe_train.py --golden FILE          writes tests/golden/bpe_merges.json

Both train on the same text with one document per file, on all processors, each in a process of its own; the faster
of three runs counts. The exit code is 1 where merges differ.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

# Beside this script is one named tokenizers.py.
sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != pathlib.Path(__file__).resolve().parent]

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

# As transformers writes it for tiktoken's vocabularies.
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s+(?![\s\S])|\s*[\r\n]+|\s+(?!\S)|\s+")
VOCAB_SIZE = 8257  # 8,000 merges
RUNS = 3


def pre_tokenizer(pattern):
    byte_level = pre_tokenizers.ByteLevel
    if pattern == "gpt2":
        return byte_level(add_prefix_space=False)
    if pattern == "none":
        return byte_level(add_prefix_space=False, use_regex=False)
    split = pre_tokenizers.Split(Regex(CL100K), behavior="isolated")
    return pre_tokenizers.Sequence([split, byte_level(add_prefix_space=False, use_regex=False)])


def train(documents, vocab_size, min_frequency, pattern, special_tokens):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(pattern)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=special_tokens,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(documents, trainer)
    return json.loads(tokenizer.to_str())["model"]


def merges_of(model):
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def golden_text():
    """Words of Zipf-like frequency from several scripts, contractions, numbers, runs of white space and symbols."""
    draw = random.Random(5)
    syllables = ["ba", "ke", "lo", "mi", "nu", "th", "er", "ing", "st", "é", "ß", "да", "не", "日本", "語", "ไท", "🙂"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(150)]
    words += ["I'm", "we'll", "they've", "DON'T", "x'y", "1999", "3.14", "aaaa", "aaaaaaa", "ababab", "...", "--", "=="]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    draw.shuffle(weights)
    gaps = [" "] * 12 + ["  ", "\n", "\n\n", "\t", "    ", "\r\n", "\u00a0"]
    return "".join(word + draw.choice(gaps) for word in draw.choices(words, weights, k=1500))


def write_golden(path):
    text = golden_text()
    cases = []
    for pattern, vocab_size, min_frequency, special_tokens in [
            ("gpt2", 700, 2, ["<|endoftext|>"]),
            ("gpt2", 100000, 1, []),
            ("gpt2", 100000, 6, ["<pad>", "<|endoftext|>", "<unk>"]),
            ("cl100k", 600, 2, ["<|endoftext|>"]),
            ("none", 500, 2, ["<|endoftext|>"])]:
        model = train([text[:3000], text[3000:]], vocab_size, min_frequency, pattern, special_tokens)
        vocab = sorted(model["vocab"], key=model["vocab"].get)
        cases.append({"split_pattern": pattern, "vocab_size": vocab_size, "min_frequency": min_frequency,
                      "special_tokens": special_tokens, "first_tokens": vocab[:len(special_tokens) + 256],
                      "merges": merges_of(model)})
        print(pattern, vocab_size, min_frequency, len(cases[-1]["merges"]), "merges")
    golden = {"documents": [text[:3000], text[3000:]], "cases": cases}
    pathlib.Path(path).write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(program, path):
    text = pathlib.Path(path).read_bytes().decode("utf-8")
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "tokenizer"
        command = [program, "tokenizer", "train", str(path), "--out", str(out), "--bpe_vocab_size", str(VOCAB_SIZE),
                   "--overwrite"]
        ours = min(seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(RUNS))
        our_merges = merges_of(json.loads((out / "tokenizer.json").read_text())["model"])

        script = [sys.executable, __file__, "--train", str(path), str(pathlib.Path(directory) / "hf.json")]
        theirs = min(seconds(lambda: subprocess.run(script, check=True)) for _ in range(RUNS))
        inside = min(seconds(lambda: train([text], VOCAB_SIZE, 2, "gpt2", ["<|endoftext|>"])) for _ in range(RUNS))
        their_merges = merges_of(json.loads((pathlib.Path(directory) / "hf.json").read_text()))
    same = our_merges == their_merges
    print(f"{path}: {len(our_merges)} merges, {'the same' if same else 'DIFFERENT'}; process {ours:.2f} s, "
          f"tokenizers {theirs:.2f} s (its train call alone {inside:.2f} s): {inside / ours:.1f}x")
    return same


def main():
    args = sys.argv[1:]
    if len(args) == 3 and args[0] == "--train":
        text = pathlib.Path(args[1]).read_bytes().decode("utf-8")
        pathlib.Path(args[2]).write_text(json.dumps(train([text], VOCAB_SIZE, 2, "gpt2", ["<|endoftext|>"])))
    elif len(args) == 2 and args[0] == "--golden":
        write_golden(args[1])
    elif len(args) >= 2:
        results = [compare(args[0], path) for path in args[1:]]
        sys.exit(0 if all(results) else 1)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
