"""What adapters of rank 16 on models that people fine-tune need, by `vkgpt plan`: tables for the README. No weights are read:
the models are their config.json, written here.

python3 tools/bench/base_memory.py --program build/vkgpt             memory at one length, by the type of the base
python3 tools/bench/base_memory.py --program build/vkgpt --cards     the longest texts that cards of 8 to 24 GB hold
"""

import argparse
import json
import pathlib
import subprocess
import tempfile


def llama3_scaling(factor):
    return {"rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192}


LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128256, "rope_theta": 500000.0,
         "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "num_key_value_heads": 8}
QWEN3 = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "vocab_size": 151936, "rope_theta": 1000000.0, "head_dim": 128,
         "max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "num_key_value_heads": 8}


def sizes(base, layers, width, inner, heads, tied, **more):
    return {**base, "num_hidden_layers": layers, "hidden_size": width, "intermediate_size": inner, "num_attention_heads": heads,
            "tie_word_embeddings": tied, "hidden_act": "silu", "bos_token_id": 0, "eos_token_id": 0, **more}


MODELS = {
    "Qwen3-0.6B": sizes(QWEN3, 28, 1024, 3072, 16, True),
    "Llama-3.2-1B": sizes(LLAMA, 16, 2048, 8192, 32, True, rope_scaling=llama3_scaling(32.0)),
    "Qwen3-1.7B": sizes(QWEN3, 28, 2048, 6144, 16, True),
    "SmolLM2-1.7B": sizes(LLAMA, 24, 2048, 8192, 32, True, num_key_value_heads=32, vocab_size=49152, rope_theta=130000.0,
                          max_position_embeddings=8192),
    "Llama-3.2-3B": sizes(LLAMA, 28, 3072, 8192, 24, True, rope_scaling=llama3_scaling(32.0)),
    "Qwen3-4B": sizes(QWEN3, 36, 2560, 9728, 32, True),
    "Mistral-7B": sizes(LLAMA, 32, 4096, 14336, 32, False, vocab_size=32768, rope_theta=1000000.0, max_position_embeddings=32768),
    "Llama-3.1-8B": sizes(LLAMA, 32, 4096, 14336, 32, False, rope_scaling=llama3_scaling(8.0)),
    "Qwen3-8B": sizes(QWEN3, 36, 4096, 12288, 32, False),
}


# Cards by their memory in GiB, and the profiles of assets/devices that stand for their kind.
CARDS = {8: "radv_navi21", 12: "anv_bmg", 16: "radv_gfx1201", 24: "rtx4090"}
USABLE = 0.92  # of a card's memory; the rest is the desktop's and the driver's
LENGTHS = [512, 1024, 2048, 4096, 8192, 16384, 32768]


def planned(args, directory, base, profile, block_size):
    """GiB, or why there is no plan."""
    words = [args.program, "plan", "--init_from", directory, "--lora_rank", "16", "--base_dtype", base, "--block_size", str(block_size),
             "--batch_size", "1", "--amp", "auto" if profile else "bf16", "--json", "--offload", args.offload]
    if profile:
        words += ["--device_profile", profile]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        return result.stderr.strip()[:60]
    return json.loads(result.stdout)["memory_total"] / 2**30


def longest(args, directory, base, card):
    """The longest of LENGTHS that fits, in words; the model's context ends the search."""
    context = json.loads(pathlib.Path(directory, "config.json").read_text())["max_position_embeddings"]
    best = "-"
    for length in LENGTHS:
        if length > context:
            break
        need = planned(args, directory, base, CARDS[card], length)
        if not isinstance(need, float) or need > USABLE * card:
            break
        best = str(length)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/vkgpt")
    parser.add_argument("--block_size", type=int, default=2048)
    parser.add_argument("--profile", default="")
    parser.add_argument("--cards", action="store_true", help="the longest block_size that fits cards of 8 to 24 GB, instead")
    parser.add_argument("--types", default="nf4,q8_0,f16")
    parser.add_argument("--offload", default="none", choices=["none", "activations"])
    args = parser.parse_args()
    types = args.types.split(",")
    heads = [f"{base}, {card} GB" for base in types for card in CARDS] if args.cards else types
    print("| model | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads))
    for name, config in MODELS.items():
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "config.json").write_text(json.dumps(config))
            if args.cards:
                row = [longest(args, directory, base, card) for base in types for card in CARDS]
            else:
                row = [planned(args, directory, base, args.profile, args.block_size) for base in types]
        print(f"| {name} | " + " | ".join(f"{need:.1f} GiB" if isinstance(need, float) else need for need in row) + " |", flush=True)


if __name__ == "__main__":
    main()
