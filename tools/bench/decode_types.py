"""Times of a token by the types in which `vkgpt generate --dtype` holds matrices, and by llama.cpp's CPU build where the package
xllamacpp is installed: the median over interleaved rounds, of the clock and of processor time, which other programs on the machine
disturb less. The start of a process is left out, by the difference of a long text and a short one. Prompt, tokens and threads are
the same for all.

python3 tools/bench/decode_types.py --program build/vkgpt --model MODEL.gguf [--llama_cpp SAME-f32.gguf SAME-q8_0.gguf]
    [--make_q4_0 SAME-f32.gguf SAME-q4_0.gguf] [--out FILE.json]

--make_q4_0 writes the second file from the first, as vkgpt holds a model in q4_0: its token table in q8_0 (needs the package gguf).
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

PROMPT = "A list of all numbers from one to one thousand, each in words: one, two, three,"
SHORT, LONG = 8, 136


def measured(who, work):
    before, start = resource.getrusage(who), time.monotonic()
    work()
    after, wall = resource.getrusage(who), time.monotonic() - start
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_q4_0(source, target):
    import gguf
    reader = gguf.GGUFReader(source)
    text = lambda key: reader.fields[key].contents()
    writer = gguf.GGUFWriter(target, text("general.architecture"))
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind, inner = field.types[0], field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)
    for tensor in reader.tensors:
        kind = gguf.GGMLQuantizationType.F32
        if len(tensor.shape) == 2:
            kind = gguf.GGMLQuantizationType.Q8_0 if tensor.name.startswith("token_embd") else gguf.GGMLQuantizationType.Q4_0
        data = gguf.quants.quantize(tensor.data, kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def per_token(who, generate):
    short, long = measured(who, lambda: generate(SHORT)), measured(who, lambda: generate(LONG))
    return [1e3 * (b - a) / (LONG - SHORT) for a, b in zip(short, long)]


def by_vkgpt(args, dtype):
    def generate(count):
        result = subprocess.run([args.program, "generate", "--model", args.model, "--prompt", PROMPT, "--temperature", "0", "--dtype",
                                 dtype, "--max_new_tokens", str(count), "--json", *args.more.split()], check=True, capture_output=True,
                                env={**os.environ, "LP_NUM_THREADS": str(args.threads)})
        made = len(json.loads(result.stdout)["tokens"][0])
        if made != count:  # it cannot be told to go on
            raise SystemExit(f"the text in {dtype} ended after {made} of {count} tokens: its times are not those of {count}")
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
        made = json.load(urllib.request.urlopen(body))["tokens_predicted"]
        if made != count:
            raise SystemExit(f"{path} ended after {made} of {count} tokens")
    return generate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/vkgpt")
    parser.add_argument("--model", required=True)
    parser.add_argument("--llama_cpp", nargs="+", default=[], help=".gguf files for llama.cpp")
    parser.add_argument("--make_q4_0", nargs=2, metavar=("F32", "Q4_0"), help="write a file for it first")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of lavapipe and of llama.cpp")
    parser.add_argument("--types", default="f32,f16,q8_0,q4_0,nf4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--more", default="", help="further flags for vkgpt")
    parser.add_argument("--out", help="write the medians to this file")
    args = parser.parse_args()
    if args.make_q4_0:
        make_q4_0(*args.make_q4_0)
    ways = {f"vkgpt {dtype}": lambda dtype=dtype: by_vkgpt(args, dtype) for dtype in args.types.split(",")}
    for path in args.llama_cpp if xllamacpp is not None else []:
        generate = llama_cpp(path, args.threads)
        ways["llama.cpp " + os.path.basename(path)] = lambda generate=generate: per_token(resource.RUSAGE_SELF, generate)
    for way in ways.values():  # files, kernels and tables for the first time
        way()
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
            figures = {name: {"wall_ms": wall, "processor_ms": cpu} for name, (wall, cpu) in medians.items()}
            json.dump({"model": os.path.basename(args.model), "threads": args.threads, "rounds": args.rounds,
                       "tokens": LONG - SHORT, "a_token": figures}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
