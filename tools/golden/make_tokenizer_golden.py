#!/usr/bin/env python3
"""Writes tests/golden/tokenizers.json: small tokenizer.json files of every form that vkgpt reads, with the tokens
and the decoded text that Hugging Face's tokenizers gives for hard texts.

    python3 -m venv venv && venv/bin/pip install tokenizers sentencepiece protobuf && venv/bin/python tools/golden/make_tokenizer_golden.py tests/golden
"""
import io
import json
import pathlib
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXT = ["the quick brown fox jumps over the lazy dog, and the dog sleeps.", "Numbers 12345 and 67; x = y + 2;",
        "if (a && b) { return c; }", "na\u00efve caf\u00e9 \u00fcber", "to be or not to be that is the question"] * 4
HARD = ["", " ", "   ", "the dog", " the  dog ", "\n\nthe\n", "tab\tthe", "caf\u00e9 e\u0301", "12345 6", "\u2581the\u2581",
        "x=1;y+=2", "<a>the<a>", "<a> the <a>", "the<b>dog <b> dog_<b>", "\u65e5\u672c the", "\U0001f600!", "ab<c>  the",
        "\ufb01ne \uff21\uff22", "a\u00a0b", "<s>the</s>", "return return", "\x01\x02", "<0x41>the", "``The'' DOG  \u0130 \u1e9e ", "<B> the <b>",
        "\ufb01\ufb01 caf\u00e9s e\u0301e\u0301 \U0001f600\U0001f600 \u2460 \u00bd", " <s> the  dog </s>  "]


def byte_bpe(alphabet=True, pre=None):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(
        vocab_size=340 if alphabet else 120, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else []))
    return tokenizer


def added(**flags):
    tokenizer = byte_bpe()
    tokenizer.add_special_tokens([AddedToken("<a>", **flags)])
    tokenizer.add_tokens([AddedToken("<b>", **flags), AddedToken("<c>", normalized=False, **flags)])
    return tokenizer


def sentencepiece_bpe(prefix, fallback=True):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=fallback))
    space = [normalizers.Replace(" ", "\u2581")]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581")] + space if prefix else space)
    first = ["<unk>", "<s>", "</s>"] + ([f"<0x{i:02X}>" for i in range(256)] if fallback else [])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=len(first) + 90, special_tokens=first[:3],
                                                            show_progress=False))
    data = json.loads(tokenizer.to_str())
    learned = [t for t in data["model"]["vocab"] if t not in first]
    data["model"]["vocab"] = {t: i for i, t in enumerate(first + learned)}
    data["pre_tokenizer"] = None
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def unigram(fallback, scheme, split=True):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tokenizer.train_from_iterator(TEXT, trainers.UnigramTrainer(vocab_size=90, special_tokens=["<unk>", "<s>", "</s>"],
                                                                unk_token="<unk>", show_progress=False))
    data = json.loads(tokenizer.to_str())
    if fallback:
        data["model"]["byte_fallback"] = True
        data["model"]["vocab"] += [[f"<0x{i:02X}>", -20.0] for i in range(256)]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return tokenizer


def character_map():
    """A small table as SentencePiece compiles it: ligatures, wide letters, several characters at once."""
    rules = {"\ufb01": "fi", "\uff21": "A", "\uff22": "B", "\u00a0": " ", "e\u0301": "\u00e9", "\u0301": "", "\t": " ", "\n": " ",
             "caf\u00e9": "coffee", "\U0001f600": ":)", "\x01": ""}
    with tempfile.TemporaryDirectory() as directory:
        table = pathlib.Path(directory) / "rules.tsv"
        table.write_text("".join(" ".join(f"{ord(c):X}" for c in key) + "\t" + " ".join(f"{ord(c):X}" for c in to) + "\n"
                                 for key, to in rules.items()))
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT), model_writer=model, vocab_size=60,
                                                 normalization_rule_tsv=str(table), minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def normalized(normalizer, scheme="always"):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    tokenizer.train_from_iterator(TEXT, trainers.UnigramTrainer(vocab_size=70, special_tokens=["<unk>", "<s>", "</s>"],
                                                                unk_token="<unk>", show_progress=False))
    tokenizer.add_tokens([AddedToken("<B>", normalized=True)])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return tokenizer


def split_sequence():
    pre = pre_tokenizers
    return pre.Sequence([pre.Split(Regex("\\p{N}{1,3}"), "isolated"), pre.Split(Regex("[a-z]+ing|[=;]"), "isolated"),
                         pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False, use_regex=False)])


def with_odd_tokens():
    data = json.loads(byte_bpe().to_str())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    size = len(data["model"]["vocab"])
    data["added_tokens"] = [dict(id=5, content="<a>", **flags), dict(id=size + 9, content="<b>", **flags),
                            dict(id=size, content="<a>", **flags), dict(id=size, content="", **flags),
                            dict(id=3, content="the", **flags), dict(id=size, content="<c>", **flags)]
    return Tokenizer.from_str(json.dumps(data))


def main():
    forms = {"bytes": byte_bpe(), "missing_bytes": byte_bpe(False), "sequence": byte_bpe(True, split_sequence()),
             "lstrip": added(lstrip=True), "rstrip": added(rstrip=True), "single_word": added(single_word=True),
             "odd_tokens": with_odd_tokens(), "llama": sentencepiece_bpe(True), "gemma": sentencepiece_bpe(False),
             "no_fallback": sentencepiece_bpe(True, False), "unigram": unigram(False, "always"),
             "unigram_bytes": unigram(True, "first"), "unigram_whole": unigram(False, "never", False),
             "precompiled": normalized(normalizers.Sequence([
                 normalizers.Precompiled(character_map()), normalizers.Strip(left=False, right=True),
                 normalizers.Replace(Regex(" {2,}"), "\u2581")])),
             "lowercase": normalized(normalizers.Sequence([
                 normalizers.Replace("``", '"'), normalizers.NFKD(), normalizers.Lowercase(), normalizers.Strip()]), "first"),
             "nfkc": normalized(normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex("[0-9]+"), "7")]), "never")}
    golden = {}
    for name, tokenizer in forms.items():
        known = set(tokenizer.get_vocab())
        alphabet = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        cases = []
        for text in HARD:
            if name == "missing_bytes":
                if not all(c in known for word, _ in alphabet.pre_tokenize_str(text) for c in word):
                    continue
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            cases.append([text, ids, tokenizer.decode(ids, skip_special_tokens=False)])
        golden[name] = {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases}
    with open(sys.argv[1] + "/tokenizers.json", "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


main()
