#!/usr/bin/env python3
"""One stage of the day a GPU is there; gpu_day.sh calls it. A stage writes its file after every row, so that what a
time limit cuts off is lost and nothing else, and stops by itself before the limit.

    tools/bench/gpu_day.py a|b|c|d|e|curve PROGRAM OUT [--dry_run]

    a  devices, the device's profile, the self-test of each backend in a process of its own
    b  matrix products and attention by every backend, beside torch.matmul and scaled_dot_product_attention
    c  where a step of GPT-2 spends its time, B 8 and then 64, fp16
    d  the step beside the same model with torch.compile, flash attention and autocast
    e  300 steps on text in fp16 and fp32, halted and resumed, their losses beside those of a CPU driver
       (CPU_METRICS, which `curve` makes before); decoding
"""

import argparse
import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

try:
    import torch
except ImportError:
    torch = None

LIMIT = 470  # seconds of a stage
CURVE_STEPS = 300
CURVE = ["--seed", 1, "--batch_size", 16, "--log_interval", 1, "--eval_iters", 2, "--eval_interval", CURVE_STEPS]


class Stage:
    """The results file of a stage, and the program that it measures."""

    def __init__(self, args):
        self.dry = args.dry_run
        if self.dry:  # Mesa's driver for CPUs has matrices at this width only
            os.environ.setdefault("LP_NATIVE_VECTOR_WIDTH", "256")
        self.program = args.program
        self.end = time.monotonic() + LIMIT
        self.out = Path(args.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.path = self.out / f"{args.stage}.md"
        self.path.write_text("")
        self.device = os.environ.get("VKGPT_DEVICE", "llvmpipe" if self.dry else "NVIDIA")
        commit = os.environ.get("VKGPT_COMMIT", "unknown")
        self.write(f"# Stage {args.stage}\n\n{time.strftime('%F %T')}, commit {commit}"
                   f"{', dry run' if self.dry else ''}\n\n")

    def write(self, text):
        print(text, end="", flush=True)
        with self.path.open("a") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def row(self, *cells):
        self.write("| " + " | ".join(map(str, cells)) + " |\n")

    def head(self, *cells):
        self.write("\n")
        self.row(*cells)
        self.row(*["---"] * len(cells))

    def left(self):
        return self.end - time.monotonic()

    def run(self, *words, part=1):
        """(exit code, stdout, stderr); code 124 where `part` of the stage's time that is left ran out."""
        command = [self.program, *map(str, words)]
        if self.left() < 5:
            return 124, "", "no time was left"
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=part * self.left())
        except subprocess.TimeoutExpired as error:
            return 124, error.stdout or "", "cut off by the stage's limit"
        return done.returncode, done.stdout, done.stderr

    def has_bf16(self):
        file = self.out / "device.json"
        if not file.is_file():
            self.run("devices", "--device", self.device, "--save", file)
        return file.is_file() and bool(json.loads(file.read_text()).get("shader_bf16"))

    def json(self, *words, part=1):
        code, out, err = self.run(*words, "--device", self.device, "--json", part=part)
        if code != 0:
            lines = err.strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"exit code {code}")
        return json.loads(out)


def losses(path):
    """Training losses of a run by step."""
    if not path.is_file():
        return {}
    with path.open() as file:
        return {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file) if row["loss"]}


@contextlib.contextmanager
def at_most(seconds):
    """Ends what runs inside with a RuntimeError when its time is over: torch.compile may take minutes."""

    def stop(*_):
        raise RuntimeError(f"cut off after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1].replace("|", "/") if lines else ""


def stage_a(stage):
    code, out, err = stage.run("devices", "--device", stage.device, "--save", stage.out / "device.json")
    stage.write(f"```\n{out or err}```\n")
    stage.head("backend", "exit", "seconds", "verdict")
    for backend in ("scalar", "simt", "khr", "nv"):
        start = time.monotonic()
        code, out, err = stage.run("selftest", "--device", stage.device, "--backend", backend, "--strict")
        (stage.out / f"selftest-{backend}.log").write_text(err)
        failed = [line for line in err.splitlines() if line.endswith("FAILED") or " failed" in line]
        stage.row(backend, code, f"{time.monotonic() - start:.0f}", last_line("\n".join(failed)) or last_line(err))


def torch_seconds(run):
    """Median seconds of `run()`; nothing without torch."""
    times = []
    run()
    for _ in range(7):
        torch.cuda.synchronize() if torch.cuda.is_available() else None
        start = time.perf_counter()
        for _ in range(10):
            run()
        torch.cuda.synchronize() if torch.cuda.is_available() else None
        times.append((time.perf_counter() - start) / 10)
    return sorted(times)[3]


def torch_types():
    return {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def torch_matmul(name, device):
    """TFLOP/s of torch.matmul for a figure's product, "nt f16 4096x4096x4096 khr"."""
    form, dtype, size, _ = name.split()
    m, n, k = map(int, size.split("x"))
    kind = torch_types()[dtype]
    a = torch.randn((k, m) if form == "tn" else (m, k), device=device).to(kind)
    b = torch.randn((n, k) if form == "nt" else (k, n), device=device).to(kind)
    a, b = a.t() if form == "tn" else a, b.t() if form == "nt" else b
    return 2e-12 * m * n * k / torch_seconds(lambda: torch.matmul(a, b))


def torch_attention(name, device):
    """TFLOP/s of torch's attention for "f16 8x1024 heads 12 of 12 of 64 forward khr"."""
    words = name.split()
    B, T = map(int, words[1].split("x"))
    NH, NKV, HS = (int(words[i]) for i in (3, 5, 7))
    kind = torch_types()[words[0]]
    backward = words[8] == "backward"
    q, k, v = (torch.randn((B, heads, T, HS), device=device, dtype=kind, requires_grad=backward)
               for heads in (NH, NKV, NKV))
    if NKV != NH:
        k, v = (x.repeat_interleave(NH // NKV, dim=1) for x in (k, v))
    attention = torch.nn.functional.scaled_dot_product_attention
    products = 5 if backward else 2
    if backward:
        out = attention(q, k, v, is_causal=True)
        dout = torch.randn_like(out)
        seconds = torch_seconds(lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True))
    else:
        seconds = torch_seconds(lambda: attention(q, k, v, is_causal=True))
    return 2e-12 * products * T * (T + 1) / 2 * B * NH * HS / seconds


def stage_b(stage):
    device = "cpu" if stage.dry or not (torch and torch.cuda.is_available()) else "cuda"
    shape = ["--preset", "tinygpt", "--batch_size", 2] if stage.dry else ["--preset", "gpt2", "--batch_size", 8]
    square = 128 if stage.dry else 4096
    stage.head("what", "size and backend", "TFLOP/s", "torch", "ours / torch")
    work = [("gemm", ["--gemm_size", square], torch_matmul), ("attention", [*shape, "--amp", "fp16"], torch_attention),
            ("gemm", shape, torch_matmul)]
    for index, (what, flags, theirs) in enumerate(work):
        # Each has as much of the time as the others that follow, torch's part included.
        end = time.monotonic() + stage.left() / (len(work) - index)
        try:
            figures = stage.json("bench", what, *flags, part=1 / (len(work) - index))["figures"]
        except RuntimeError as error:
            stage.row(what, " ".join(map(str, flags)), f"failed: {error}", "", "")
            continue
        known = {}
        for figure in figures:
            name, rate = figure["name"], figure["rate"] / 1e3
            product = name.rsplit(" ", 1)[0]
            try:
                if product not in known and torch and time.monotonic() < end:
                    with at_most(end - time.monotonic()):
                        known[product] = theirs(name, device)
            except (RuntimeError, KeyError, ValueError, IndexError) as error:
                print(f"torch, {name}: {error}", file=sys.stderr)
            peer = known.get(product)
            stage.row(what, name, f"{rate:.3g}", f"{peer:.3g}" if peer else "-", f"{rate / peer:.2f}" if peer else "-")


def stage_c(stage):
    for B in (2, 4) if stage.dry else (8, 64):
        preset = "tinygpt" if stage.dry else "gpt2"
        code, out, err = stage.run("profile", "--device", stage.device, "--preset", preset, "--batch_size", B, "--amp",
                                   "fp16", "--out", stage.out / f"profile-{B}.json")
        stage.write(f"\n## B {B}: exit {code}\n\n```\n{out or err}```\n")


def stage_d(stage):
    stage.head("amp", "B x T", "vkgpt tokens/s", "MFU", "GiB", "torch tokens/s", "ratio")
    shape = None
    if torch:
        import torch_gpt
        shape = torch_gpt.DEFAULT if stage.dry else torch_gpt.GPT2
    device = "cpu" if stage.dry or not (torch and torch.cuda.is_available()) else "cuda"
    T = 128 if stage.dry else 1024
    preset = ["--preset", "tinygpt"] if stage.dry else ["--preset", "gpt2"]
    types = {"fp16": True, "bf16": stage.has_bf16()}
    for amp, is_real in types.items():
        if not is_real:
            stage.row(amp, f"- x {T}", "not in this driver's shaders", "", "", "", "")
            continue
        B = 2 if stage.dry else 64
        ours = None
        while ours is None and B >= 1 and stage.left() > 30:
            try:
                ours = stage.json("bench", "step", *preset, "--batch_size", B, "--amp", amp)["step"]
            except RuntimeError as error:
                stage.row(amp, f"{B} x {T}", f"failed: {error}", "", "", "", "")
                B //= 2
        if ours is None:
            continue
        rate = ours["tokens_per_second"]
        theirs = None
        if shape and stage.left() > 60:
            try:
                kind = torch.float16 if amp == "fp16" else torch.bfloat16
                with at_most(stage.left() / (1 if amp == "bf16" or not types["bf16"] else 2)):
                    theirs = B * T / torch_gpt.time_step(shape, B, device, kind, compile=not stage.dry)[0]
            except RuntimeError as error:
                print(f"torch: {error}", file=sys.stderr)
        stage.row(amp, f"{B} x {T}", f"{rate:.0f}", f"{100 * ours['mfu']:.1f} %", f"{ours['device_bytes'] / 2**30:.1f}",
                  f"{theirs:.0f}" if theirs else "-", f"{rate / theirs:.3f}" if theirs else "-")
        for kernel in ours["kernels"][:12]:
            stage.row("", kernel["kernel"], f"{kernel['ms']:.3f} ms", f"{100 * kernel['part']:.1f} %", "", "", "")


def stage_e(stage):
    text = os.environ.get("TEXT", "")
    if not Path(text).is_file():
        stage.write(f"no text: set TEXT to a file (was '{text}')\n")
        return
    steps = 6 if stage.dry else CURVE_STEPS
    stage.head("run", "exit", "seconds", "last lines of metrics.csv")
    work = [(amp, title) for amp in ("fp16", "off") for title in ("half", "resumed")]
    for index, (amp, title) in enumerate(work):
        run = stage.out / f"run-{amp}"
        if title == "half":
            shutil.rmtree(run, ignore_errors=True)
        extra = ["--max_steps", steps // 2] if title == "half" else ["--max_steps", steps, "--resume"]
        start = time.monotonic()
        # Each has as much of the time as each that follows, decoding among them.
        code, out, err = stage.run("train", "--device", stage.device, "--data_path", text, "--out_dir", run, "--amp", amp,
                                   *CURVE, *extra, part=1 / (len(work) + 1 - index))
        metrics = run / "metrics.csv"
        last = last_line(metrics.read_text()) if metrics.exists() else last_line(err)
        stage.row(f"{amp} {title}", code, f"{time.monotonic() - start:.0f}", last)
    curves = [losses(stage.out / f"run-{amp}" / "metrics.csv") for amp in ("fp16", "off")]
    curves.append(losses(Path(os.environ.get("CPU_METRICS", ""))))
    stage.head("step", "loss in fp16", "loss in fp32", "loss on the CPU driver")
    for step in (1, 2, 5, *range(10, 50, 10), *range(50, 301, 25)):
        if any(step in curve for curve in curves):
            stage.row(step, *(f"{curve[step]:.4f}" if step in curve else "-" for curve in curves))
    code, out, err = stage.run("bench", "decode", "--device", stage.device, "--preset",
                               "tinygpt" if stage.dry else "gpt2")
    stage.write(f"\n```\n{out or err}```\n")


def stage_curve(stage):
    """The run of stage e on the CPU driver, in fp32."""
    run = stage.out / "run-cpu"
    shutil.rmtree(run, ignore_errors=True)
    steps = 6 if stage.dry else CURVE_STEPS
    code, out, err = stage.run("train", "--device", "llvmpipe", "--data_path", os.environ["TEXT"], "--out_dir", run,
                               "--amp", "off", *CURVE, "--max_steps", steps)
    stage.write(f"exit {code}: {last_line(err or out)}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=[*"abcde", "curve"])
    parser.add_argument("program")
    parser.add_argument("out")
    parser.add_argument("--dry_run", action="store_true")
    args = parser.parse_args()
    stage = Stage(args)
    {"a": stage_a, "b": stage_b, "c": stage_c, "d": stage_d, "e": stage_e,
     "curve": stage_curve}[args.stage](stage)
    stage.write(f"\n{time.strftime('%T')}: the stage is over\n")


if __name__ == "__main__":
    main()
