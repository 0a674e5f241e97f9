#!/usr/bin/env python3
"""Time to good text on a CPU: the seconds in which nanoGPT's recipe for CPUs ends under PyTorch, beside those in
which vkgpt's quickstart reaches the same validation loss on the same cores.

    tools/bench/time_to_loss.py build/vkgpt --text tinyshakespeare.txt --out tools/bench/results/time-to-loss.md

Both learn characters and hold back the last tenth of the text, over which the final losses are means. PyTorch's time
is that of its training loop and evaluations; vkgpt's is that of the whole process, from its start to its last
checkpoint. PyTorch runs before and after, and its faster run counts.
"""

import argparse
import math
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy
import torch

import report
import torch_gpt

# nanoGPT's README, "I only have a macbook".
SHAPE = torch_gpt.Shape("nanoGPT on a CPU", T=64, padding=1)
B, STEPS, WARMUP, LR, MIN_LR, EVAL_INTERVAL, EVAL_ITERS = 12, 2000, 100, 1e-3, 1e-4, 250, 20


def characters(path):
    """The text as numbers of characters, [N], and the start of the tenth that is held back."""
    text = Path(path).read_text()
    number = {c: i for i, c in enumerate(sorted(set(text)))}
    return torch.from_numpy(numpy.array([number[c] for c in text])), int(0.9 * len(text)), len(number)


def crops(tokens, count):
    starts = torch.randint(len(tokens) - SHAPE.T, (count,))
    x = torch.stack([tokens[i:i + SHAPE.T] for i in starts])
    y = torch.stack([tokens[i + 1:i + 1 + SHAPE.T] for i in starts])
    return x, y


@torch.no_grad()
def mean_loss(model, tokens, windows):
    """Over `windows` random crops."""
    return sum(model(*crops(tokens, B)).item() for _ in range(windows)) / windows


@torch.no_grad()
def whole_loss(model, tokens):
    """Over all windows of T tokens, one after the other."""
    count = (len(tokens) - 1) // SHAPE.T
    x = tokens[:count * SHAPE.T].view(count, SHAPE.T)
    y = tokens[1:count * SHAPE.T + 1].view(count, SHAPE.T)
    parts = [(model(a, b).item(), len(a)) for a, b in zip(x.split(64), y.split(64))]
    return sum(loss * rows for loss, rows in parts) / count


def learning_rate(step):
    if step < WARMUP:
        return LR * (step + 1) / (WARMUP + 1)
    return MIN_LR + 0.5 * (LR - MIN_LR) * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def nanogpt(text):
    """[(seconds, validation loss)] at its evaluations, and the loss over the whole split at the end."""
    tokens, cut, vocabulary = characters(text)
    training, validation = tokens[:cut], tokens[cut:]
    torch.manual_seed(1337)
    shape = torch_gpt.Shape(**{**vars(SHAPE), "V": vocabulary})
    model = torch_gpt.Gpt(shape)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=LR, betas=(0.9, 0.99))
    curve, start = [], time.perf_counter()
    for step in range(STEPS):
        if step % EVAL_INTERVAL == 0:
            mean_loss(model, training, EVAL_ITERS)
            curve.append((time.perf_counter() - start, mean_loss(model, validation, EVAL_ITERS)))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        model(*crops(training, B)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - start
    loss = whole_loss(model, validation)
    return curve + [(seconds, loss)], loss


def vkgpt(program, text, flags, out_dir):
    """The same of `vkgpt train`, its own evaluations read as they are printed."""
    command = [program, "train", "--data_path", text, "--out_dir", out_dir, *flags]
    curve, start = [], time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"^step \d+: .*val loss ([0-9.]+)", line):
                curve.append((time.perf_counter() - start, float(found[1])))
    if process.returncode != 0:
        raise RuntimeError("".join(lines[-3:]))
    seconds = time.perf_counter() - start
    tail = Path(out_dir) / "validation.txt"
    everything = Path(text).read_text()
    tail.write_text(everything[int(0.9 * len(everything)):])
    loss = report.vkgpt(program, "eval", "--model", out_dir, "--data_path", tail, "--block_size", SHAPE.T)["loss"]
    return curve + [(seconds, loss)], loss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vkgpt")
    parser.add_argument("--text", required=True, help="tiny shakespeare")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--note", default="", help="a line for the results: what else the machine did")
    parser.add_argument("--out", help="file for the results")
    parser.add_argument("flags", nargs="*", help="of vkgpt train, after --; the quickstart's configuration without them")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    flags = args.flags or ["--config", str(report.ROOT / "assets/quickstart.json"), "--max_steps", "500"]
    with tempfile.TemporaryDirectory() as folder:
        first = nanogpt(args.text)
        ours = vkgpt(args.vkgpt, args.text, flags, folder)
        second = nanogpt(args.text)
    theirs = min(first, second, key=lambda run: run[0][-1][0])
    driver = report.vkgpt(args.vkgpt, "bench", "norm")["driver"]
    text = report.head("Time to good text on a CPU", driver, [f"PyTorch with {args.threads} threads", args.note])
    text += "\n" + report.table(
        ["", "seconds", "loss over the validation split"],
        [["PyTorch, nanoGPT's recipe", f"{run[0][-1][0]:.1f}", f"{run[1]:.4f}"] for run in (first, second)] +
        [["vkgpt, whole process", f"{ours[0][-1][0]:.1f}", f"{ours[1]:.4f}"]])
    passed = [seconds for seconds, loss in ours[0] if loss <= theirs[1]]
    if ours[1] <= theirs[1]:
        text += (f"\nPyTorch's loss is passed at {passed[0]:.1f} s, {passed[0] / theirs[0][-1][0]:.2f} of its time; "
                 f"the whole run takes {ours[0][-1][0] / theirs[0][-1][0]:.2f} of it.\n")
    else:
        text += "\nPyTorch's loss is NOT reached.\n"
    for name, run in (("PyTorch", theirs), ("vkgpt", ours)):
        text += f"\n{name}: " + ", ".join(f"{loss:.3f} at {seconds:.0f} s" for seconds, loss in run[0]) + "\n"
    report.write(args.out, text)


if __name__ == "__main__":
    main()
