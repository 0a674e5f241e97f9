"""Times of a token by the types in which `vkgpt generate --dtype` holds matrices, and by llama.cpp's CPU build where the package
xllamacpp is installed: the median over interleaved rounds, of the clock and of processor time, which other programs on the machine
disturb less. The start of a process is left out, by the difference of a long text and a short one.

python3 tools/bench/decode_types.py --program build/vkgpt --model MODEL.gguf [--llama_cpp SAME-q8_0.gguf] [--out FILE.json]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import time
import urllib.request

try:
    import xllamacpp
except ImportError:
    xllamacpp = None

PROMPT = "The capital of France is"
SHORT, LONG = 8, 72


def measured(who, work):
    before, start = resource.getrusage(who), time.monotonic()
    work()
    after, wall = resource.getrusage(who), time.monotonic() - start
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def per_token(who, generate):
    short, long = measured(who, lambda: generate(SHORT)), measured(who, lambda: generate(LONG))
    return [1e3 * (b - a) / (LONG - SHORT) for a, b in zip(short, long)]


def by_vkgpt(args, dtype):
    def generate(count):
        subprocess.run([args.program, "generate", "--model", args.model, "--prompt", PROMPT, "--temperature", "0", "--dtype",
                        dtype, "--max_new_tokens", str(count), *args.more.split()], check=True, capture_output=True)
    return per_token(resource.RUSAGE_CHILDREN, generate)


def llama_cpp(path, threads):
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = 256
    params.n_parallel = 1
    params.fit_params = False
    params.cpuparams.n_threads = threads
    params.port = 0
    server = xllamacpp.Server(params)

    def generate(count):
        request = {"prompt": PROMPT, "n_predict": count, "temperature": 0, "top_k": 1, "cache_prompt": False, "ignore_eos": True}
        body = urllib.request.Request(server.listening_address + "/completion", json.dumps(request).encode(),
                                      {"Content-Type": "application/json"})
        json.load(urllib.request.urlopen(body))
    return generate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/vkgpt")
    parser.add_argument("--model", required=True)
    parser.add_argument("--llama_cpp", help="a .gguf file for llama.cpp")
    parser.add_argument("--types", default="f32,f16,q8_0,q4_0,nf4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--more", default="", help="further flags for vkgpt")
    parser.add_argument("--out", help="write the medians to this file")
    args = parser.parse_args()
    ways = {f"vkgpt {dtype}": lambda dtype=dtype: by_vkgpt(args, dtype) for dtype in args.types.split(",")}
    if args.llama_cpp and xllamacpp is not None:
        generate = llama_cpp(args.llama_cpp, os.cpu_count())
        ways["llama.cpp " + os.path.basename(args.llama_cpp)] = lambda: per_token(resource.RUSAGE_SELF, generate)
    times = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            times[name].append(way())
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in times.items()}
    reference = medians.get("vkgpt f32")
    for name, (wall, cpu) in medians.items():
        ratio = f", {reference[1] / cpu:.2f} times f32's processor time" if reference else ""
        print(f"{name:30} {wall:7.1f} ms a token, {cpu:7.1f} ms of processors{ratio}")
    if args.out:
        with open(args.out, "w") as file:
            json.dump({name: {"wall_ms": wall, "processor_ms": cpu} for name, (wall, cpu) in medians.items()}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
