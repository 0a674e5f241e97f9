#!/usr/bin/env python3
"""vkgpt on a GPU beside PyTorch in the same run: matrix products by every backend against torch.matmul, then
the step of GPT-2 124M against the same model with torch.compile, flash attention and bf16. h200.sh calls it.

    tools/bench/pytorch_gpu.py build/vkgpt --out tools/bench/results/h200.md
    tools/bench/pytorch_gpu.py build/vkgpt --dry_run          # small, on the CPU: does the script work?
"""

import argparse
import json
import time

import torch

import report
import torch_gpt

TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def matmul_seconds(form, dtype, m, n, k, device):
    """Median seconds of torch.matmul of a product of that form."""
    a = torch.randn((k, m) if form == "tn" else (m, k), device=device).to(TYPES[dtype])
    b = torch.randn((n, k) if form == "nt" else (k, n), device=device).to(TYPES[dtype])
    a, b = a.t() if form == "tn" else a, b.t() if form == "nt" else b
    repeats = 1 if device == "cpu" else 20
    times = []
    for _ in range(7):
        if device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            torch.matmul(a, b)
        if device != "cpu":
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / repeats)
    return sorted(times)[len(times) // 2]


def gemm_rows(args, flags):
    record = report.vkgpt(args.vkgpt, "bench", "gemm", "--device", args.vk_device, *flags)
    best = {}  # by product: backend -> GFLOP/s
    for figure in record["figures"]:
        form, dtype, size, backend = figure["name"].split()
        if dtype in args.dtypes:
            best.setdefault((form, dtype, size), {})[backend] = figure["rate"]
    rows = []
    for (form, dtype, size), rates in best.items():
        m, n, k = map(int, size.split("x"))
        theirs = 2e-9 * m * n * k / matmul_seconds(form, dtype, m, n, k, args.torch_device)
        cells = [f"{rates[b] / 1e3:.2f}" if b in rates else "-" for b in ("scalar", "simt", "khr", "nv")]
        rows.append([f"{form} {dtype}", size, *cells, f"{theirs / 1e3:.2f}", f"{max(rates.values()) / theirs:.2f}"])
    return record, rows


def step_row(args, shape, B, amp):
    """The step at the largest of B, B / 2, ... that fits both: cells of the table, and vkgpt's record."""
    while True:
        try:
            flags = ("--batch_size", B, "--amp", amp, *shape.flags())
            ours = report.vkgpt(args.vkgpt, "bench", "step", "--device", args.vk_device, *flags)["step"]
            dtype = torch.float16 if amp == "fp16" else torch.bfloat16
            seconds, _ = torch_gpt.time_step(shape, B, args.torch_device, dtype, compile=not args.dry_run)
            break
        except (RuntimeError, torch.OutOfMemoryError) as error:
            print(f"B = {B}: {error}")
            if B == 1:
                return [shape.name, amp, B, "failed", "", "", "", ""], None
            B //= 2
    theirs = B * shape.T / seconds
    cells = [shape.name, amp, f"{B} x {shape.T}", f"{ours['tokens_per_second']:.0f}", f"{theirs:.0f}",
             f"{ours['tokens_per_second'] / theirs:.3f}",
             f"{100 * ours['mfu']:.1f} % of {ours['mfu_peak_gflops'] / 1e3:.1f} TFLOP/s ({ours['mfu_peak']})",
             f"{ours['device_bytes'] / 2**30:.1f}"]
    return cells, ours


def kernel_rows(step):
    return [[k["kernel"], k["calls"], f"{k['ms']:.3f}", f"{100 * k['part']:.1f}", f"{k['gflops'] / 1e3:.2f}",
             f"{k['gbytes_per_second']:.0f}", "-" if k["share"] is None else f"{100 * k['share']:.0f} %"]
            for k in step["kernels"]]


def matrix_shapes(args):
    devices = report.vkgpt(args.vkgpt, "devices", "--device", args.vk_device)
    return devices["devices"][devices["chosen"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vkgpt", help="the program, with what must stand before it")
    parser.add_argument("--vk_device", default="NVIDIA")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--dry_run", action="store_true")
    parser.add_argument("--note", default="")
    parser.add_argument("--out")
    args = parser.parse_args()
    args.torch_device = "cuda"
    args.dtypes = ("f16", "bf16")
    shape, square = torch_gpt.GPT2, 4096
    gpt2 = ["--preset", "gpt2", "--batch_size", 8]  # products of 8192 rows say as much as larger ones
    if args.dry_run:
        args.vk_device, args.torch_device, args.batch_size = "llvmpipe", "cpu", 2
        shape, square = torch_gpt.DEFAULT, 128
        gpt2 = ["--preset", "tinygpt", "--batch_size", 2]

    caps = matrix_shapes(args)
    record, rows = gemm_rows(args, ["--gemm_size", square])
    rows += gemm_rows(args, gpt2)[1]
    steps = [step_row(args, shape, args.batch_size, amp) for amp in ("bf16", "fp16")]
    gpu = args.torch_device if args.torch_device == "cpu" else torch.cuda.get_device_name()
    text = report.head(f"vkgpt beside PyTorch on {record['device']}", record["driver"],
                       [f"PyTorch on {gpu}, torch.compile {not args.dry_run}", args.note])
    limits = ", ".join(f"{name} {value:.0f}" for name, value in record["limits"].items() if value)
    text += f"\nMeasured limits (GB/s, GFLOP/s): {limits}\n\n## Cooperative matrices\n\n"
    text += f"```json\n{json.dumps(caps, indent=1)}\n```\n\n## Matrix products, TFLOP/s\n\n"
    text += report.table(["form", "M x N x K", "scalar", "simt", "khr", "nv", "torch.matmul", "best / torch"], rows)
    text += "\n## The step\n\n"
    text += report.table(["model", "amp", "B x T", "vkgpt tokens/s", "PyTorch tokens/s", "ratio", "MFU", "vkgpt GiB"],
                         [cells for cells, _ in steps])
    for cells, step in steps:
        if step is not None:
            text += f"\n### Kernels of one step, {cells[1]}\n\n"
            text += report.table(["kernel", "calls", "ms", "%", "TFLOP/s", "GB/s", "of limit"], kernel_rows(step))
    report.write(args.out, text)


if __name__ == "__main__":
    main()
