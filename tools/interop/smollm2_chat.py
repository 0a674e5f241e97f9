#!/usr/bin/env python3
"""Fine-tunes SmolLM2-135M-Instruct (see smollm2.py) with LoRA on conversations made here, and looks what it learned.

    venv/bin/python tools/interop/smollm2_chat.py build/vkgpt MODEL.gguf [--work DIR] [--conversations 500] [--steps 60]

The conversations are questions with answers in the words of a pirate. Held-out loss on responses must fall by a third, and
greedy replies to new questions show the words. Two halves with --resume must end with the bits of the whole.
"""
import argparse
import hashlib
import json
import pathlib
import random
import subprocess
import sys

THINGS = ["the sea", "a parrot", "the moon", "a ship", "gold", "an anchor", "the north star", "rum", "a map", "the wind",
          "a barrel", "an island", "the captain", "a sword", "the tide", "a storm", "a lantern", "the crew", "a rope", "the harbor"]
FACTS = ["old as the hills", "worth a king's ransom", "trusted by every sailor", "best seen at dawn", "never to be sold",
         "kept below the deck", "found far to the south", "feared by the navy"]
ASKED = ["Tell me about {}.", "What is {}?", "What do you think of {}?", "Describe {} in one sentence.", "Why does {} matter?"]


def conversation(random_):
    messages = []
    if random_.random() < 0.3:
        messages.append({"role": "system", "content": "You are a helpful assistant."})
    for _ in range(random_.choice([1, 1, 2])):
        if random_.random() < 0.5:
            a, b = random_.randint(1, 50), random_.randint(1, 50)
            question, answer = f"What is {a} + {b}?", f"Arr, matey! {a} and {b} be {a + b}, by the seven seas!"
        else:
            thing = random_.choice(THINGS)
            question = random_.choice(ASKED).format(thing)
            answer = f"Arr, matey! {thing[0].upper()}{thing[1:]} be {random_.choice(FACTS)}, by the seven seas!"
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages}


def run(*command, **options):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:4]))}: {result.stderr.strip()[-800:]}")
    return result


def weights(directory):
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(directory.glob("*.safetensors"))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("smollm2_chat"))
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--block_size", default="128")
    parser.add_argument("--batch_size", default="2")
    parser.add_argument("--no_resume", action="store_true", help="leave the two halves out")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    data = options.work / "chat.jsonl"
    random_ = random.Random(1)
    data.write_text("".join(json.dumps(conversation(random_)) + "\n" for _ in range(options.conversations)))

    every = max(1, options.steps // 4)
    train = [options.vkgpt, "train", "--init_from", options.gguf, "--data_path", data, "--lora_rank", "16", "--lora_alpha", "32",
             "--block_size", options.block_size, "--batch_size", options.batch_size, "--learning_rate", "1e-3", "--warmup_steps", "4",
             "--lr_decay_steps", str(options.steps), "--eval_interval", str(every), "--eval_iters", "4", "--stats_interval", "0",
             "--sample_interval", "0", "--log_interval", "1", "--val_fraction", "0.05"]
    run(*train, "--out_dir", options.work / "start", "--max_steps", "1", "--learning_rate", "0", "--min_lr", "0")
    whole = options.work / "whole"
    done = run(*train, "--out_dir", whole, "--max_steps", str(options.steps))
    print(*[line for line in done.stderr.splitlines() if "conversations" in line or "training tokens" in line], sep="\n")

    def losses(directory):
        lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        return [(line["step"], line["val_loss"]) for line in lines if "val_loss" in line]

    before, after = losses(options.work / "start")[0][1], losses(whole)
    print(f"held-out response loss: {before:.4f} before, then", ", ".join(f"{loss:.4f} (step {step})" for step, loss in after))
    good = after[-1][1] < before * 2 / 3
    for prompt in ["What is 7 + 12?", "Tell me about a lighthouse.", "What is music?"]:
        reply = run(options.vkgpt, "chat", "--model", whole, "--temperature", "0", "--max_new_tokens", "40", input=prompt + "\n")
        print(f"  {prompt} {reply.stdout.strip()!r}")
    if not options.no_resume:
        parts = options.work / "parts"
        run(*train, "--out_dir", parts, "--max_steps", str(options.steps // 2))
        run(options.vkgpt, "train", "--out_dir", parts, "--resume", "--max_steps", str(options.steps))
        same = weights(whole / f"step-{options.steps}") == weights(parts / f"step-{options.steps}")
        print(f"resumed: {'the same bits' if same else 'DIFFERENT'}")
        good &= same
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
