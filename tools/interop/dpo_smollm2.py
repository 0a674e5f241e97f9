#!/usr/bin/env python3
"""Direct preference optimization of SmolLM2-135M-Instruct (see smollm2.py), held in NF4, with LoRA, on pairs made here.

    python3 tools/interop/dpo_smollm2.py build/vkgpt MODEL.gguf [--work DIR] [--steps 40] [--out FILE.json]

A question asks for a pirate's words or for plain ones; what was asked for is chosen, the other answer rejected: neither is always
right, so that the question must be read. What must hold on held-out pairs, about things that no trained pair names: the loss falls
below log 2, the margin of rewards rises, and more than nine pairs of ten are the right way round.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess
import sys

THINGS = ["the sea", "a parrot", "the moon", "a ship", "gold", "an anchor", "the north star", "a map", "the wind", "a barrel",
          "an island", "the captain", "a sword", "the tide", "a storm", "a lantern", "the crew", "a rope", "the harbor", "a whale"]
FACTS = ["old as the hills", "worth a king's ransom", "trusted by every sailor", "best seen at dawn", "never to be sold",
         "kept below the deck", "found far to the south", "feared by the navy"]
ASKED = ["Tell me about {}", "What is {}?", "Describe {}", "What do you think of {}?"]
WAYS = {True: ["Answer like a pirate.", "Speak as a pirate would.", "In a pirate's words, please."],
        False: ["Answer plainly.", "Use plain words.", "In everyday English, please."]}


def pair(random_, things):
    thing, fact, pirate = random_.choice(things), random_.choice(FACTS), random_.random() < 0.5
    whole = thing[0].upper() + thing[1:]
    answers = {True: f"Arr, matey! {whole} be {fact}, by the seven seas!", False: f"{whole} is {fact}."}
    return {"prompt": random_.choice(ASKED).format(thing) + " " + random_.choice(WAYS[pirate]), "chosen": answers[pirate],
            "rejected": answers[not pirate]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("dpo_smollm2"))
    parser.add_argument("--pairs", type=int, default=160)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--base_dtype", default="nf4")
    parser.add_argument("--out", type=pathlib.Path, help="write the result to this file")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    random_ = random.Random(3)
    held_out = options.pairs // 5
    # The last fifth of a file is held out.
    made = [pair(random_, THINGS[:15]) for _ in range(options.pairs - held_out)] + [pair(random_, THINGS[15:]) for _ in range(held_out)]
    data = options.work / "pairs.jsonl"
    data.write_text("".join(json.dumps(p) + "\n" for p in made))
    out = options.work / "run"
    beta, every = 0.1, max(1, options.steps // 4)
    flags = {"objective": "dpo", "init_from": options.gguf, "lora_rank": 16, "lora_alpha": 32, "base_dtype": options.base_dtype,
             "block_size": 128, "batch_size": 2, "data_path": data, "dpo_beta": beta, "learning_rate": 3e-4, "warmup_steps": 4,
             "max_steps": options.steps, "eval_interval": every, "eval_iters": (held_out + 1) // 2, "val_fraction": 0.2,
             "log_interval": 1, "sample_interval": 0, "stats_interval": 0, "out_dir": out}
    command = [options.vkgpt, "train"] + [str(word) for name, value in flags.items() for word in ("--" + name, value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (options.work / "run.log").write_text(done.stderr)
    if done.returncode != 0:
        sys.exit(done.stderr.strip()[-800:])
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [r for r in records if "rewards/margins" in r]
    evals = {f"step {r['step']}": {"loss": r["val_loss"], "accuracy": r["eval_rewards/accuracies"], "margin": r["eval_rewards/margins"],
                                   "chosen": r["eval_rewards/chosen"], "rejected": r["eval_rewards/rejected"]}
             for r in records if "eval_rewards/accuracies" in r}
    result = {"model": options.gguf.name, "base_dtype": options.base_dtype, "lora_rank": 16, "beta": beta, "pairs": options.pairs - held_out,
              "held_out_pairs": held_out, "steps": options.steps, "pairs_of_a_step": 2,
              "first_step": {"loss": steps[0]["loss"], "margin": steps[0]["rewards/margins"]}, "held_out": evals}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    last = list(evals.values())
    good = (abs(steps[0]["loss"] - math.log(2)) < 1e-3 and last[-1]["loss"] < math.log(2) and last[-1]["margin"] > last[0]["margin"] > 0
            and last[-1]["accuracy"] > 0.9)
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
