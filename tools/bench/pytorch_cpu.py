#!/usr/bin/env python3
"""Training steps of vkgpt on a CPU driver beside PyTorch on the same cores: same model, same batch.

    tools/bench/pytorch_cpu.py build/vkgpt --out tools/bench/results/cpu-2026-11-21.md
"""

import argparse

import torch

import report
import torch_gpt


def compare(program, device, shape, B):
    """One row: tokens a second of vkgpt, before and after PyTorch's, so that a load on the machine shows."""
    args = ("bench", "step", "--device", device, "--batch_size", B, *shape.flags())
    first = report.vkgpt(program, *args)["step"]
    seconds, parameters = torch_gpt.time_step(shape, B, "cpu")
    second = report.vkgpt(program, *args)["step"]
    ours = max(first["tokens_per_second"], second["tokens_per_second"])
    theirs = B * shape.T / seconds
    flops = shape.flops_per_token(parameters)
    return [shape.name, f"{B} x {shape.T}", f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}",
            f"{ours * flops / 1e9:.1f}", f"{theirs * flops / 1e9:.1f}",
            f"{first['tokens_per_second']:.0f} / {second['tokens_per_second']:.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vkgpt")
    parser.add_argument("--device", default="llvmpipe")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="the default model at one batch only")
    parser.add_argument("--note", default="", help="a line for the results: what else the machine did")
    parser.add_argument("--out", help="file for the results")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    work = [(torch_gpt.DEFAULT, 16)]
    if not args.quick:
        work += [(torch_gpt.DEFAULT, 64), (torch_gpt.SMOLLM2, 1)]
    rows = []
    for shape, B in work:
        rows.append(compare(args.vkgpt, args.device, shape, B))
        print(*rows[-1], sep=" | ", flush=True)
    driver = report.vkgpt(args.vkgpt, "bench", "norm", "--device", args.device)["driver"]
    text = report.head("Training on a CPU, beside PyTorch", driver,
                       [f"PyTorch with {args.threads} threads, fp32, eager, forward to AdamW", args.note])
    text += "\n" + report.table(["model", "B x T", "vkgpt tokens/s", "PyTorch tokens/s", "ratio", "vkgpt GFLOP/s",
                                 "PyTorch GFLOP/s", "vkgpt before / after"], rows)
    report.write(args.out, text)


if __name__ == "__main__":
    main()
