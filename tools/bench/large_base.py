"""Writes a directory of Llama-3.1-8B's shape and trains one step of adapters of rank 16 on it, held in NF4, and says what memory that
took. The weights are sparse files: a mebibyte of random numbers at the beginning of each matrix, zeros after it, norms of ones. What the
process held at its peak beyond the buffers of the device, which are host memory too on a CPU driver, is what loading costs the host.

python3 tools/bench/large_base.py --program build/vkgpt --work /var/tmp/large [--layers 32] [--block_size 16] [--out FILE.json]
"""

import argparse
import json
import pathlib
import random
import re
import resource
import struct
import subprocess
import time

C, INNER, HEADS, KV_HEADS, HEAD, V = 4096, 14336, 32, 8, 128, 128256
ONE_BF16 = struct.pack("<H", 0x3f80)


def tensors(layers):
    yield "model.embed_tokens.weight", (V, C)
    for layer in range(layers):
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", (C,)
        yield name + "self_attn.q_proj.weight", (HEADS * HEAD, C)
        yield name + "self_attn.k_proj.weight", (KV_HEADS * HEAD, C)
        yield name + "self_attn.v_proj.weight", (KV_HEADS * HEAD, C)
        yield name + "self_attn.o_proj.weight", (C, HEADS * HEAD)
        yield name + "post_attention_layernorm.weight", (C,)
        yield name + "mlp.gate_proj.weight", (INNER, C)
        yield name + "mlp.up_proj.weight", (INNER, C)
        yield name + "mlp.down_proj.weight", (C, INNER)
    yield "model.norm.weight", (C,)
    yield "lm_head.weight", (V, C)


def write_tokenizer(directory):
    """GPT-2's letters for the 256 bytes, and no merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, more = {}, 256
    for byte in range(256):
        letters[chr(byte if byte in printable else more)] = byte
        more += byte not in printable
    (directory / "vocab.json").write_text(json.dumps(letters))
    (directory / "merges.txt").write_text("#version: 0.2\n")


def write_model(directory, layers):
    directory.mkdir(parents=True)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": V, "hidden_size": C, "intermediate_size": INNER,
              "num_hidden_layers": layers, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "hidden_act": "silu",
              "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": False,
              "bos_token_id": 128000, "eos_token_id": 128001}
    (directory / "config.json").write_text(json.dumps(config))
    write_tokenizer(directory)
    header, at, places = {}, 0, []
    for name, shape in tensors(layers):
        size = 2
        for extent in shape:
            size *= extent
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        places.append((at, size, len(shape) == 1))
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # bf16 of 2^-6 to 2^-5, of either sign.
    source = random.Random(1)
    numbers = b"".join(struct.pack("<H", source.choice((0, 0x8000)) | 0x3c80 | source.randrange(128)) for _ in range(1 << 19))
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        first = file.tell()
        for offset, size, is_norm in places:
            file.seek(first + offset)
            file.write(ONE_BF16 * (size // 2) if is_norm else numbers[:size])
        file.truncate(first + at)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/vkgpt")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--block_size", default="16")
    parser.add_argument("--steps", default="1")
    parser.add_argument("--base_dtype", default="nf4")
    parser.add_argument("--more", default="", help="further flags")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    model = args.work / f"model-{args.layers}"
    if not model.exists():
        write_model(model, args.layers)
    (args.work / "text.txt").write_text("the quick brown fox jumps over the lazy dog; " * 100)
    run = args.work / f"run-{int(time.time())}"
    flags = ["--init_from", model, "--lora_rank", "16", "--base_dtype", args.base_dtype, "--block_size", args.block_size, "--batch_size", "1"]
    command = [args.program, "train", *flags, "--data_path", args.work / "text.txt", "--out_dir", run,
               "--max_steps", args.steps, "--eval_interval", "0", "--eval_iters", "1", "--sample_interval", "0", "--stats_interval", "0", "--log_interval", "1",
               *args.more.split()]
    start = time.monotonic()
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    seconds = time.monotonic() - start
    if result.returncode != 0:
        raise SystemExit(result.stderr.strip()[-600:])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    plan = json.loads(subprocess.run([str(word) for word in [args.program, "plan", *flags, "--json"]], capture_output=True, text=True,
                                     check=True).stdout)
    units = {"MiB": 1, "GiB": 1024}
    held, unit = re.findall(r"mem ([0-9.]+) (MiB|GiB)", result.stderr)[-1]
    peak, device = used.ru_maxrss / 1024, float(held) * units[unit]
    figures = {"layers": args.layers, "parameters": plan["parameters"], "base_dtype": args.base_dtype, "block_size": int(args.block_size),
               "weights_mib": (model / "model.safetensors").stat().st_size / 2**20, "planned_mib": plan["memory_total"] / 2**20,
               "device_mib": device, "peak_rss_mib": peak, "beyond_device_mib": peak - device,
               "wall_seconds": seconds, "processor_seconds": used.ru_utime + used.ru_stime,
               "loss": float(re.findall(r"loss ([0-9.]+)", result.stderr)[-1])}
    print(json.dumps(figures, indent=1))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
