"""What the measurements beside PyTorch share: running vkgpt, the head of a results file, tables."""

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def vkgpt(program, *args):
    """The JSON that a command of vkgpt prints."""
    words = [*str(program).split(), *map(str, args), "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def commit():
    if named := os.environ.get("VKGPT_COMMIT"):
        return named
    try:
        done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def head(title, driver, notes):
    lines = [f"# {title}", "", f"- date: {datetime.date.today()}", f"- driver: {driver}"]
    lines += [f"- commit: {commit()}", f"- PyTorch {torch.__version__}, {processor()}, {os.cpu_count()} threads"]
    return "\n".join(lines + [f"- {note}" for note in notes if note]) + "\n"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def write(path, text):
    print(text)
    if path:
        Path(path).write_text(text)
