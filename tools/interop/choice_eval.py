#!/usr/bin/env python3
"""Compares `vkgpt eval --task` with lm-evaluation-harness on a small model, question by question.

    venv/bin/python tools/interop/choice_eval.py build/vkgpt MODEL.gguf [--questions 40] [--few_shot 1] [--work DIR]

Questions are made here (sums, opposites, what comes next). The harness (`pip install lm_eval`) runs the model under
transformers by its own `loglikelihood`, where it is installed; else its formula is computed here. Choices must be the same
but for ties (1e-3 nats), log-likelihoods within 2e-3 of their size.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.pop(0)  # this directory, whose tokenizers.py is not the package

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PAIRS = [("hot", "cold"), ("up", "down"), ("big", "small"), ("day", "night"), ("open", "closed"), ("fast", "slow"), ("wet", "dry"),
         ("happy", "sad"), ("black", "white"), ("rich", "poor"), ("early", "late"), ("full", "empty")]
CAPITALS = [("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Germany", "Berlin"), ("Japan", "Tokyo"),
            ("Egypt", "Cairo"), ("Greece", "Athens"), ("Austria", "Vienna"), ("Portugal", "Lisbon"), ("Norway", "Oslo")]


def question(random_):
    kind = random_.randrange(3)
    if kind == 0:
        a, b = random_.randint(1, 9), random_.randint(1, 9)
        query, right, wrong = f"Question: What is {a} + {b}?\nAnswer:", str(a + b), [str(a + b + i) for i in (1, 3, 11)]
    elif kind == 1:
        word, right = random_.choice(PAIRS)
        query = f"The opposite of {word} is"
        wrong = random_.sample([p[1] for p in PAIRS if p[1] != right], 3)
    else:
        land, right = random_.choice(CAPITALS)
        query = f"Question: What is the capital of {land}?\nAnswer:"
        wrong = ["the city of " + c for c in random_.sample([c[1] for c in CAPITALS if c[1] != right], 3)]
    choices = [right, *wrong]
    random_.shuffle(choices)
    return {"query": query, "choices": choices, "gold": choices.index(right)}


def by_formula(model, tokenizer, pairs):
    sums = []
    for context, continuation in pairs:
        spaces = len(context) - len(context.rstrip())
        if spaces:
            continuation, context = context[-spaces:] + continuation, context[:-spaces]
        whole = tokenizer(context + continuation, add_special_tokens=False).input_ids
        count = len(whole) - len(tokenizer(context, add_special_tokens=False).input_ids)
        with torch.no_grad():
            logits = torch.log_softmax(model(torch.tensor([whole[:-1]])).logits[0].float(), -1)
        sums.append(sum(logits[-count + i, whole[-count + i]].item() for i in range(count)))
    return sums


def by_harness(model, tokenizer, pairs):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, add_bos_token=False)
    asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    return [value for value, _ in lm.loglikelihood(asked, disable_tqdm=True)]


def best(values):
    return max(range(len(values)), key=lambda i: values[i])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--few_shot", type=int, default=1)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("choice_eval"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    random_ = random.Random(5)
    items = [question(random_) for _ in range(options.questions)]
    task, results = options.work / "task.jsonl", options.work / "results.jsonl"
    task.write_text("".join(json.dumps(i) + "\n" for i in items))
    results.unlink(missing_ok=True)
    done = subprocess.run([options.vkgpt, "eval", "--model", options.gguf, "--task", task, "--few_shot", str(options.few_shot),
                           "--block_size", "128", "--batch_size", "2", "--results", results, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    got = {r["question"]: r for r in map(json.loads, results.read_text().splitlines())}

    tokenizer = AutoTokenizer.from_pretrained(options.gguf.parent, gguf_file=options.gguf.name)
    model = AutoModelForCausalLM.from_pretrained(options.gguf.parent, gguf_file=options.gguf.name, dtype=torch.float32).eval()
    pairs = []
    for i, item in enumerate(items):
        examples = [items[k] for k in range(len(items)) if k != i][:options.few_shot]
        context = "".join(e["query"] + " " + e["choices"][e["gold"]] + "\n\n" for e in examples) + item["query"]
        pairs += [(context, " " + choice) for choice in item["choices"]]
    try:
        sums, name = by_harness(model, tokenizer, pairs), "lm-evaluation-harness"
    except ImportError:
        sums, name = by_formula(model, tokenizer, pairs), "the harness's formula under transformers"

    same = same_norm = ties = at = 0
    worst = 0.0
    for i, item in enumerate(items):
        wanted = sums[at:at + len(item["choices"])]
        at += len(item["choices"])
        mine = got[i]["log_likelihoods"]
        worst = max(worst, *(abs(a - b) / max(1, abs(b)) for a, b in zip(mine, wanted, strict=True)))
        lengths = [len(c) for c in item["choices"]]
        norm = [v / n for v, n in zip(wanted, lengths)]
        gap = sorted(wanted)[-1] - sorted(wanted)[-2]
        ties += gap < 1e-3
        same += best(wanted) == got[i]["choice"] or gap < 1e-3
        same_norm += best(norm) == got[i]["choice_by_length"] or sorted(norm)[-1] - sorted(norm)[-2] < 1e-4
    print(f"{len(items)} questions, {options.few_shot} examples: choices equal {same}, by length {same_norm} ({ties} ties) with {name}; "
          f"largest difference of a log-likelihood {worst:.1e}; vkgpt {done.stdout.strip()}")
    good = same == same_norm == len(items) and worst < 2e-3
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
