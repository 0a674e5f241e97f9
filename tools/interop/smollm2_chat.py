#!/usr/bin/env python3
"""Fine-tunes SmolLM2-135M-Instruct (see smollm2.py), held in NF4, with LoRA on 500 conversations made here, and looks what became of it.

    venv/bin/pip install torch transformers peft accelerate gguf safetensors xllamacpp
    venv/bin/python tools/interop/smollm2_chat.py build/vkgpt MODEL.gguf [--work DIR] [--steps 60] [--out FILE.json] [--trained]

The conversations are questions with answers in the words of a pirate. What must hold: the held-out loss on responses falls by a third;
greedy replies to new questions show the words; the device's memory is within 5 % of what `plan` says; a run that is killed in its
midst and resumed ends with the bits of one that was not; adapters and merged model give the same greedy tokens in vkgpt, PEFT,
transformers and llama.cpp. With --trained the runs in DIR are only looked at.
"""
import argparse
import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys
import time
import urllib.request

sys.path.pop(0)  # tokenizers.py beside this file is not the package that transformers needs

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


def metrics(directory, key):
    path = directory / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
    return [(line["step"], line[key]) for line in lines if key in line]


def model_flags(options):
    return ["--init_from", options.gguf, "--lora_rank", "16", "--base_dtype", "nf4", "--block_size", options.block_size,
            "--batch_size", options.batch_size]


def train(options):
    data = options.work / "chat.jsonl"
    random_ = random.Random(1)
    data.write_text("".join(json.dumps(conversation(random_)) + "\n" for _ in range(options.conversations)))
    flags = [options.vkgpt, "train", *model_flags(options), "--data_path", data, "--lora_alpha", "32", "--learning_rate", "1e-3",
             "--warmup_steps", "4", "--lr_decay_steps", str(options.steps), "--eval_interval", str(max(1, options.steps // 3)),
             "--eval_iters", "5", "--stats_interval", "0", "--sample_interval", "0", "--log_interval", "1", "--val_fraction", "0.05"]
    run(*flags, "--out_dir", options.work / "start", "--max_steps", "1", "--learning_rate", "0", "--min_lr", "0")
    whole = run(*flags, "--out_dir", options.work / "whole", "--max_steps", str(options.steps), "--save_interval",
                str(max(1, options.steps // 6)))
    (options.work / "whole.log").write_text(whole.stderr)
    kill_and_resume(options, flags)


def kill_and_resume(options, flags):
    """Some steps of the same run: at one go, and with a kill between two checkpoints."""
    steps, every = str(options.resume_steps), max(1, options.resume_steps // 3)
    flags = [*flags, "--max_steps", steps, "--save_interval", str(every), "--eval_interval", "0"]
    straight, killed = options.work / "straight", options.work / "killed"
    run(*flags, "--out_dir", straight)
    first = subprocess.Popen([str(word) for word in [*flags, "--out_dir", killed]], stderr=subprocess.DEVNULL)
    while first.poll() is None and not any(step > every for step, _ in metrics(killed, "loss")):
        time.sleep(0.2)
    first.kill()
    first.wait()
    (options.work / "killed_after").write_text(str(metrics(killed, "loss")[-1][0]))
    run(options.vkgpt, "train", "--out_dir", killed, "--resume", "--max_steps", steps)


def memory(options):
    plan = json.loads(run(options.vkgpt, "plan", *model_flags(options), "--json").stdout)["memory_total"]
    log = (options.work / "whole.log").read_text()
    held = re.findall(r"mem (\d+(?:\.\d+)?) MiB", log)
    return plan / 2**20, float(held[-1])


def greedy_everywhere(options, ids, count):
    """Greedy tokens after `ids` by every program that has a way to read the result."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM
    import xllamacpp

    adapter, work = options.work / "whole" / f"step-{options.steps}", options.work

    def torch_tokens(model):
        out = model.generate(input_ids=torch.tensor([ids]), max_new_tokens=count, do_sample=False, pad_token_id=0, eos_token_id=2)
        return out[0, len(ids):].tolist()

    def llama_cpp(path, lora=None):
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.warmup, params.fit_params, params.port = 256, 1, False, False, 0
        params.cpuparams.n_threads = 2
        if lora is not None:
            info = xllamacpp.CommonAdapterLoraInfo()
            info.path, info.scale = str(lora), 1.0
            params.lora_adapters = [info]
        server = xllamacpp.Server(params)
        request = {"prompt": ids, "n_predict": count, "temperature": 0, "top_k": 1, "return_tokens": True, "cache_prompt": False}
        body = urllib.request.Request(server.listening_address + "/completion", json.dumps(request).encode(),
                                      {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(body))["tokens"]

    def vkgpt(*more):
        result = run(options.vkgpt, "generate", *more, "--prompt_tokens", ",".join(map(str, ids)), "--max_new_tokens", str(count),
                     "--temperature", "0", "--json")
        return json.loads(result.stdout)["tokens"][0]

    for path, flags in ((work / "hf", ["--model", adapter, "--format", "hf"]),
                        (work / "merged.gguf", ["--model", adapter, "--format", "gguf"]),
                        (work / "adapter.gguf", ["--model", options.gguf, "--adapter", adapter, "--format", "gguf_adapter"]),
                        (work / "base.gguf", ["--model", options.gguf, "--format", "gguf"]),
                        (work / "base", ["--model", options.gguf, "--format", "hf"])):
        if not path.exists():
            run(options.vkgpt, "export", *flags, "--out", path)
    base = AutoModelForCausalLM.from_pretrained(work / "base").float().eval()
    ways = {"transformers without the adapters": torch_tokens(base),
            "vkgpt, the run": vkgpt("--model", options.work / "whole"),
            "vkgpt, base and adapters": vkgpt("--model", options.gguf, "--adapter", adapter),
            "transformers, merged": torch_tokens(AutoModelForCausalLM.from_pretrained(work / "hf").float().eval()),
            "PEFT, base and adapters": torch_tokens(PeftModel.from_pretrained(base, adapter).eval()),
            "llama.cpp, merged": llama_cpp(work / "merged.gguf"),
            "llama.cpp, base and adapters": llama_cpp(work / "base.gguf", work / "adapter.gguf")}
    ways["vkgpt, nf4 base and adapters"] = vkgpt("--model", options.gguf, "--adapter", adapter, "--dtype", "nf4")
    return ways


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkgpt")
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("smollm2_chat"))
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--resume_steps", type=int, default=9, help="steps of the runs of which one is killed")
    parser.add_argument("--block_size", default="128")
    parser.add_argument("--batch_size", default="2")
    parser.add_argument("--trained", action="store_true", help="look at runs that are there")
    parser.add_argument("--out", type=pathlib.Path, help="write the result to this file")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if not options.trained:
        train(options)

    before, after = metrics(options.work / "start", "val_loss")[0][1], metrics(options.work / "whole", "val_loss")
    planned, held = memory(options)
    last = f"step-{options.steps}"
    reached = f"step-{options.resume_steps}"
    resumed = weights(options.work / "straight" / reached) == weights(options.work / "killed" / reached)
    replies = {}
    for prompt in ["What is 7 + 12?", "Tell me about a lighthouse.", "What is music?"]:
        reply = run(options.vkgpt, "chat", "--model", options.work / "whole", "--temperature", "0", "--max_new_tokens", "40",
                    input=prompt + "\n")
        replies[prompt] = reply.stdout.strip()
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.gguf.parent, gguf_file=options.gguf.name)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Tell me about a lighthouse."}], add_generation_prompt=True,
                                        return_dict=False)
    ways = greedy_everywhere(options, ids, 24)
    wanted = ways["vkgpt, the run"]
    adapted = {name: tokens for name, tokens in ways.items() if "without" not in name and "nf4" not in name}
    same = {name: tokens[:len(wanted)] == wanted for name, tokens in adapted.items()}
    result = {"model": options.gguf.name, "conversations": options.conversations, "steps": options.steps,
              "tokens_of_a_step": int(options.block_size) * int(options.batch_size), "base_dtype": "nf4", "lora_rank": 16,
              "held_out_response_loss": {"before": before, **{f"step {step}": loss for step, loss in after}},
              "fallen_by": 1 - after[-1][1] / before, "replies": replies,
              "memory_mib": {"planned": planned, "held": held, "difference": held / planned - 1},
              "killed_after_step": int((options.work / "killed_after").read_text()), "of_steps": options.resume_steps,
              "resumed_to_the_same_bits": resumed,
              "killed_adapter_sha256": weights(options.work / "killed" / reached)["adapter_model.safetensors"],
              "adapter_sha256": weights(options.work / "whole" / last)["adapter_model.safetensors"],
              "greedy": {name: tokenizer.decode(tokens) for name, tokens in ways.items()}, "equal_to_the_run": same,
              "transformers": transformers.__version__}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    good = (after[-1][1] < before * 2 / 3 and all("matey" in reply for reply in replies.values()) and abs(held / planned - 1) < 0.05
            and resumed and all(same.values()))
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
