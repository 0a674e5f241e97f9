#!/usr/bin/env python3
"""Checks vkgpt's tokenizers against tiktoken, tokenizers and transformers.

    venv/bin/python tools/interop/tokenizers.py build/vkgpt --ranks DIR [--text FILE ...]

DIR holds r50k_base.tiktoken, cl100k_base.tiktoken and o200k_base.tiktoken (npm's gpt-tokenizer has them in data/). Texts:
those given, this repository's sources, and texts made here: random Unicode, emoji, runs of white space, invalid UTF-8.
"""
import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != pathlib.Path(__file__).resolve().parent]

import tiktoken
import tokenizers
from tiktoken.load import load_tiktoken_bpe
from tiktoken_ext import openai_public
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

END = "<|endoftext|>"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
failures = 0


def check(what, good):
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)


class Vkgpt:
    def __init__(self, program, tokenizer, vocab_size):
        self.command = [program, "tokenizer"]
        self.tokenizer = str(tokenizer)
        self.format = "<I" if vocab_size > 65536 else "<H"

    def encode(self, data, special=False, threads=0):
        with tempfile.TemporaryDirectory() as directory:
            out = pathlib.Path(directory) / "tokens"
            command = self.command + ["encode", "-", "--tokenizer", self.tokenizer, "--out", str(out), f"--threads={threads}"]
            subprocess.run(command + (["--special"] if special else []), input=data, check=True)
            return [n for n, in struct.iter_unpack(self.format, out.read_bytes())]

    def encode_all(self, texts, end):
        """Many texts at once: the special token between them belongs to none."""
        parts, part = [], []
        for token in self.encode(END.join(texts).encode(), special=True):
            if token == end:
                parts.append(part)
                part = []
            else:
                part.append(token)
        return parts + [part]

    def decode(self, tokens):
        command = self.command + ["decode", "-", "--tokenizer", self.tokenizer]
        return subprocess.run(command, input=" ".join(map(str, tokens)).encode(), check=True, capture_output=True).stdout


def random_text(rng):
    kinds = [lambda: chr(rng.randrange(128)), lambda: chr(rng.randrange(0x250)), lambda: chr(rng.randrange(0x3000)),
             lambda: chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])),
             lambda: rng.choice(" \n\t\r\u00a0\u3000'"), lambda: rng.choice("abcdefstmdlvre'0123456789ABC"),
             lambda: chr(rng.randrange(0x1F300, 0x1FAFF)), lambda: rng.choice(["\u200d", "\ufe0f", "\u0301", "\u4e2d", "\u0e01"])]
    return "".join(rng.choice(kinds)() for _ in range(rng.randint(0, 40)))


def made_texts():
    rng = random.Random(11)
    yield "random Unicode", [random_text(rng) for _ in range(10000)]
    yield "emoji", ["".join(chr(rng.randrange(0x1F300, 0x1FAFF)) + rng.choice(["", "\u200d", "\ufe0f", "\U0001f3fd", " "])
                            for _ in range(rng.randint(1, 60))) for _ in range(300)]
    yield "white space", ["".join(rng.choice([" ", "  ", "\n", "\t", "\r\n", "\u3000", "x", "1", "."])
                                  for _ in range(rng.randint(1, 30))) for _ in range(2000)]
    yield "long words", [c * n for c in ("a", " ", "\u4e2d", "\U0001f600", "ab", "=", "1") for n in (100, 1000, 20000)]


def compare(name, ours, reference, files, end):
    """`reference` encodes a str."""
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        mine = ours.encode(text.encode())
        check(f"{name}: {path.name}: {len(mine)} tokens", mine == reference(text))
        check(f"{name}: {path.name}: one thread gives the same", mine == ours.encode(text.encode(), threads=1))
        check(f"{name}: {path.name}: round trip", ours.decode(mine) == text.encode())
    for what, texts in made_texts():
        texts = [t for t in texts if END not in t]
        mine = ours.encode_all(texts, end)
        wrong = [t for t, tokens in zip(texts, mine) if tokens != reference(t)]
        check(f"{name}: {what}: {len(texts)} texts" + (f", {len(wrong)} differ, first {wrong[0]!r}" if wrong else ""),
              len(mine) == len(texts) and not wrong)


def compare_invalid(ours, encoding):
    """tiktoken takes the last word before the first invalid byte and all that follows for one word; vkgpt goes on
    cutting, an invalid byte being a symbol. So they agree where the invalid bytes are the end of the text and the
    word before them cannot join them."""
    rng = random.Random(3)
    same = joined = 0
    for _ in range(300):
        head = "".join(rng.choice(["word ", "x, ", "12 ", "\u00e9t\u00e9 ", "\n"]) for _ in range(rng.randint(0, 6))).encode()
        tail = bytes(rng.choice([0xFF, 0xFE, 0xC3, 0xE2, 0x80, 0xBF]) for _ in range(rng.randint(1, 5)))
        try:
            tail.decode()
            continue
        except UnicodeDecodeError:
            pass
        mine = ours.encode(head + tail)
        check_bytes = ours.decode(mine) == head + tail
        if not check_bytes:
            return check(f"invalid UTF-8 {head + tail!r}: round trip", False)
        if mine == encoding._encode_bytes(head + tail):
            same += 1
        else:
            joined += 1
    check(f"invalid UTF-8: {same} as tiktoken, {joined} otherwise, all come back byte for byte", joined <= same // 20)


def tiktoken_encodings(ranks):
    for name in ("r50k_base", "cl100k_base", "o200k_base"):
        file = ranks / f"{name}.tiktoken"
        openai_public.load_tiktoken_bpe = lambda *_, file=file, **__: load_tiktoken_bpe(str(file))
        yield name, file, tiktoken.Encoding(**getattr(openai_public, name)())


def trained(pre_tokenizer, normalizer=None, special=(END,), plain=(), files=(), **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=list(special), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train([str(f) for f in files], trainer)
    tokenizer.add_tokens(list(plain))
    return tokenizer


def shapes(files):
    byte_level = lambda regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
    split = lambda regex: pre_tokenizers.Split(Regex(regex), "isolated")
    sequence = pre_tokenizers.Sequence
    yield "ByteLevel", trained(byte_level(True), files=files)
    yield "ByteLevel, no regex", trained(byte_level(False), files=files[:1])
    llama = trained(sequence([split(LLAMA3), byte_level(False)]), files=files, ignore_merges=True, special=(END, "<|begin|>"))
    llama.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 1)])
    yield "Llama 3", llama
    yield "Qwen 2", trained(sequence([split(QWEN2), byte_level(False)]), normalizers.NFC(), files=files)
    yield "SmolLM2", trained(sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]), files=files)
    yield "added tokens", trained(byte_level(True), files=files, plain=("<think>", "</think>", "    ", "ab", "abc"))
    yield "other pattern", trained(sequence([split(r"[A-Z]?\p{L}+|\p{N}{1,2}|\s+|[^\s\p{L}\p{N}]+"), byte_level(False)]), files=files)


def compare_shapes(program, files, directory):
    from transformers import AutoTokenizer
    small = [f for f in files if f.stat().st_size < 2_000_000][:2]
    for name, reference in shapes(small):
        path = directory / name.replace(" ", "_") / "tokenizer.json"
        path.parent.mkdir()
        for merges_as_text in (False, True):
            reference.save(str(path))
            if merges_as_text:
                data = json.loads(path.read_text())
                data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
                path.write_text(json.dumps(data))
        ours = Vkgpt(program, path.parent, reference.get_vocab_size())
        end = reference.token_to_id(END)
        compare(f"tokenizer.json {name}", ours, lambda t: reference.encode(t, add_special_tokens=False).ids, small, end) \
            if "NFC" not in str(reference.normalizer) else compare_normalized(name, ours, reference, small, end)
        saved = directory / (path.parent.name + "_saved")
        subprocess.run([program, "tokenizer", "info", "--tokenizer", str(path.parent), "--save", str(saved)], check=True,
                       stdout=subprocess.DEVNULL)
        again = AutoTokenizer.from_pretrained(str(saved))
        text = small[0].read_text()[:50000]
        check(f"saved {name}: AutoTokenizer encodes the same", again.encode(text, add_special_tokens=False) ==
              reference.encode(text, add_special_tokens=False).ids)
        check(f"saved {name}: end of text is {again.eos_token}", again.eos_token == END and again.eos_token_id == end)


def compare_normalized(name, ours, reference, files, end):
    for what, texts in made_texts():
        texts = [t for t in texts if END not in t]
        mine = ours.encode_all(texts, end)
        wrong = [t for t, tokens in zip(texts, mine) if tokens != reference.encode(t, add_special_tokens=False).ids]
        # The two libraries know different versions of Unicode: marks that are new to one are not put in order by it.
        check(f"tokenizer.json {name}: {what}" + (f", {len(wrong)} differ, first {wrong[0]!r}" if wrong else ""),
              len(wrong) <= len(texts) // 2000)
    for path in files:
        text = path.read_text()
        check(f"tokenizer.json {name}: {path.name}", ours.encode(text.encode()) == reference.encode(text).ids)


def compare_saved(program, files, directory):
    """What vkgpt writes, read by transformers, alone and beside a model's config.json."""
    from transformers import AutoTokenizer
    texts = [f.read_text()[:200000] for f in files] + [t for _, ts in made_texts() for t in ts[:300]]
    char_run = directory / "char_text"
    char_run.write_text("".join(texts))
    for name, text_file in (("gpt2", []), ("byte", []), ("char", [str(char_run)])):
        for model_type in (None, "gpt2", "llama"):
            saved = directory / f"{name}_{model_type}"
            subprocess.run([program, "tokenizer", "info", *text_file, "--tokenizer", name, "--save", str(saved)], check=True,
                           stdout=subprocess.DEVNULL)
            if model_type:
                (saved / "config.json").write_text(json.dumps({"model_type": model_type}))
            theirs = AutoTokenizer.from_pretrained(str(saved))
            ours = Vkgpt(program, saved, len(theirs))
            good = True
            for text in texts[:2] + ["".join(texts[2:])]:
                text = text.replace(END, "")
                mine = ours.encode(text.encode())
                good &= mine == theirs.encode(text, add_special_tokens=False) and theirs.decode(mine) == text
            check(f"saved {name}, model type {model_type}: {type(theirs).__name__} encodes and decodes the same", good)
            if name == "char":
                check("saved char: it is one of characters", '"Fuse"' in (saved / "tokenizer.json").read_text())
            else:
                check(f"saved {name}: special tokens", theirs.eos_token == theirs.bos_token == theirs.unk_token == END)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--ranks", type=pathlib.Path, required=True)
    parser.add_argument("--text", type=pathlib.Path, nargs="*", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        code = directory / "source_code"
        root = pathlib.Path(__file__).resolve().parents[2]
        code.write_bytes(b"".join(f.read_bytes() for f in sorted(root.glob("src/**/*.cpp")) + sorted(root.glob("shaders/*.comp"))))
        files = args.text + [code]
        for name, file, encoding in tiktoken_encodings(args.ranks):
            end = encoding._special_tokens[END]
            compare(name, Vkgpt(args.program, file, encoding.n_vocab), encoding.encode_ordinary, files, end)
            if name == "r50k_base":
                ours = Vkgpt(args.program, "gpt2", 50257)
                compare("gpt2", ours, encoding.encode_ordinary, files, end)
                compare_invalid(ours, encoding)
        compare_shapes(args.program, files, directory)
        compare_saved(args.program, files, directory)
    print(f"{failures} failures (tiktoken {tiktoken.__version__}, tokenizers {tokenizers.__version__})")
    sys.exit(failures > 0)


main()
