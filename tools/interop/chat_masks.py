#!/usr/bin/env python3
"""Compares what vkgpt learns from conversations with transformers, token by token.

    venv/bin/python tools/interop/chat_masks.py build/vkgpt MODEL.gguf TEMPLATE.jinja ... [--count 1000]

The tokenizer is that of a GGUF model (SmolLM2, see smollm2.py) with the names that the templates use added as special
tokens; the templates are that model's own and those given (real ones: see chat_templates.py). Conversations are made
here: with and without a system, of one to four replies, with odd white space and other scripts. What a template refuses
both must refuse.

Where a template has {% generation %} marks, tokens and mask must equal
`apply_chat_template(return_assistant_tokens_mask=True)`. Where it has none, the mask must follow the rule of
assets/docs/formats.md, computed here in another way than vkgpt does: a reply begins where the conversation before it,
rendered with a generation prompt, ends, and ends with the first token that ends replies.
"""
import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.pop(0)  # this directory, whose tokenizers.py is not the package

import jinja2
from transformers import AutoTokenizer

WORDS = ("the a sun sea green house runs slowly Zahl größer naïve 数字 と 東京 да нет 42 3.14 code() {x} <b> & \"quoted\" it's "
         "\n \n\n  \t end. why? yes! 🙂 e\u0301").split(" ")
NAMES = re.compile(r"<\|?[a-zA-Z_]+\|?>|\[/?[A-Z_]+\]|</?s>")


def words(random_, least, most):
    return " ".join(random_.choice(WORDS) for _ in range(random_.randint(least, most)))


def say(random_):
    text = words(random_, 1, 12).strip() or "so"
    if random_.random() < 0.15:
        text = random_.choice(["  ", "\n"]) + text
    if random_.random() < 0.15:
        text += random_.choice([" ", "\n\n"])
    return text


def conversation(random_):
    messages = []
    if random_.random() < 0.4:
        messages.append({"role": "system", "content": say(random_)})
    for _ in range(random_.randint(1, 4)):
        messages.append({"role": "user", "content": say(random_)})
        messages.append({"role": "assistant", "content": say(random_)})
    return messages


def spans_by_rule(tokenizer, messages, whole, stop):
    """Where replies are, or None where a part of the conversation is not the beginning of the whole."""
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(messages[:i], tokenize=False, add_generation_prompt=True)
        if not whole.startswith(before):
            return None
        content = message["content"].strip()
        at = whole.find(content, len(before))
        end = whole.find(stop, at + len(content))
        spans.append((len(before), end + len(stop)))
    return spans


def mask_of(offsets, spans):
    return [int(any(begin < e and end > s and begin < end for s, e in spans)) for begin, end in offsets]


def wanted(tokenizer, messages, marked, stop):
    if marked:
        out = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, return_dict=True)
        return out["input_ids"], out["assistant_masks"]
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    spans = spans_by_rule(tokenizer, messages, whole, stop)
    if spans is None:
        return None
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    return encoded["input_ids"], mask_of(encoded["offset_mapping"], spans)


def stop_of(tokenizer):
    """What ends a reply: the first special token behind it."""
    text = tokenizer.apply_chat_template([{"role": "user", "content": "a"}, {"role": "assistant", "content": "vkgpt-reply"}],
                                         tokenize=False)
    tail = text[text.rfind("vkgpt-reply") + len("vkgpt-reply"):]
    for token in tokenizer(tail, add_special_tokens=False).input_ids:
        if token in tokenizer.all_special_ids or token in tokenizer.added_tokens_decoder:
            return tokenizer.convert_ids_to_tokens(token)
    return tail.strip()


def run_vkgpt(vkgpt, directory, conversations):
    file = directory / "conversations.jsonl"
    file.write_text("".join(json.dumps({"messages": c}) + "\n" for c in conversations))
    done = subprocess.run([vkgpt, "tokenizer", "chat", file, "--tokenizer", directory, "--template", "own", "--learn",
                           "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(vkgpt, name, tokenizer, conversations, show):
    marked = "endgeneration" in tokenizer.chat_template
    stop = stop_of(tokenizer)
    same = refused = skipped = learned = total = 0
    with tempfile.TemporaryDirectory() as work:
        directory = pathlib.Path(work)
        tokenizer.save_pretrained(directory)
        results = run_vkgpt(vkgpt, directory, conversations)
    for messages, got in zip(conversations, results, strict=True):
        try:
            want = wanted(tokenizer, messages, marked, stop)
        except jinja2.exceptions.TemplateError:
            same += "error" in got
            refused += 1
            continue
        if want is None:
            skipped += 1
            continue
        equal = got.get("tokens") == list(want[0]) and got.get("by_assistant") == list(want[1])
        same += equal
        learned += sum(want[1])
        total += len(want[1])
        if not equal and show:
            show -= 1
            print(json.dumps(messages, ensure_ascii=False))
            print(" vkgpt", [tokenizer.decode([t]) for t, m in zip(got.get("tokens", []), got.get("by_assistant", [])) if m], got.get("error"))
            print(" wants", [tokenizer.decode([t]) for t, m in zip(*want) if m])
    compared = len(conversations) - skipped
    rule = "transformers' mask" if marked else "the rule"
    print(f"{'ok' if same == compared else 'FAIL':4} {name}: {same} of {compared} equal by {rule}, {learned} of {total} tokens "
          f"learned; {refused} refused by both, {skipped} whose parts are no beginnings left out", flush=True)
    return same == compared


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("templates", nargs="*", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--show", type=int, default=0)
    options = parser.parse_args()
    base = AutoTokenizer.from_pretrained(options.gguf.parent, gguf_file=options.gguf.name)
    templates = {"own": base.chat_template, **{t.stem: t.read_text() for t in options.templates}}
    good = True
    for number, (name, source) in enumerate(templates.items()):
        tokenizer = AutoTokenizer.from_pretrained(options.gguf.parent, gguf_file=options.gguf.name)
        tokenizer.add_special_tokens({"additional_special_tokens": sorted(set(NAMES.findall(source)))})
        tokenizer.chat_template = source
        random_ = random.Random(number)
        conversations = [conversation(random_) for _ in range(options.count)]
        good &= compare(options.vkgpt, name, tokenizer, conversations, options.show)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
