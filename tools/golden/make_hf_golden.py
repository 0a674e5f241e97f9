#!/usr/bin/env python3
"""Writes tests/golden/hf_*/: model directories as transformers saves them, and what it computes with them.

usage: make_hf_golden.py OUT_DIR [NAME...]      (needs torch, transformers and safetensors; a CPU is enough)

Tiny models with random weights, in 16 bits where said, in shards where said. `expected.safetensors` beside them holds
`tokens` (T), the `logits` (T, V) after each of them, and the `greedy` continuation of `prompt`; computed in float64
from the weights as stored, rounded to float32.
"""

import json
import pathlib
import shutil
import sys

import safetensors.torch
import torch
import transformers

VOCAB, CONTEXT, PROMPT = 41, 20, 5
NO_TOKENS = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)
GPT2 = dict(n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
LLAMA = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=CONTEXT)
MODELS = {
    "hf_gpt2": dict(kind="GPT2", dtype="float16", config=GPT2),
    "hf_llama": dict(kind="Llama", dtype="bfloat16", shards="20KB", config=dict(
        LLAMA, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 14})),
    "hf_mistral": dict(kind="Mistral", dtype="bfloat16", config=dict(
        LLAMA, sliding_window=6, head_dim=16, tie_word_embeddings=True)),
    "hf_qwen2": dict(kind="Qwen2", dtype="bfloat16", config=dict(
        LLAMA, num_key_value_heads=2, tie_word_embeddings=True)),
    "hf_qwen3": dict(kind="Qwen3", dtype="bfloat16", config=dict(
        LLAMA, head_dim=24, tie_word_embeddings=False)),
    "hf_qwen3_layers": dict(kind="Qwen3", dtype="bfloat16", config=dict(
        LLAMA, num_hidden_layers=3, head_dim=16, tie_word_embeddings=True, use_sliding_window=True, sliding_window=4,
        max_window_layers=1, rope_parameters={"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "beta_fast": 2.0,
                                              "beta_slow": 0.25, "original_max_position_embeddings": 8})),
    "hf_smollm3": dict(kind="SmolLM3", dtype="bfloat16", config=dict(
        LLAMA, num_hidden_layers=4, tie_word_embeddings=True, use_sliding_window=True, sliding_window=5,
        no_rope_layers=[1, 0, 1, 0], layer_types=["sliding_attention", "full_attention", "full_attention",
                                                  "sliding_attention"],
        rope_parameters={"rope_type": "linear", "rope_theta": 300.0, "factor": 2.0})),
    "hf_gemma3": dict(kind="Gemma3", dtype="bfloat16", config=dict(
        LLAMA, head_dim=256, query_pre_attn_scalar=168, sliding_window=6, tie_word_embeddings=True,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters={"full_attention": {"rope_type": "linear", "rope_theta": 5000.0, "factor": 2.0},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})),
}


def save(directory, spec, seed):
    torch.manual_seed(seed)
    config = getattr(transformers, spec["kind"] + ("TextConfig" if spec["kind"] == "Gemma3" else "Config"))(vocab_size=VOCAB, initializer_range=0.2, **NO_TOKENS,
                                                            **spec["config"])
    class_name = spec["kind"] + ("LMHeadModel" if spec["kind"] == "GPT2" else "ForCausalLM")
    model = getattr(transformers, class_name)(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "ln_" in name or name.endswith("bias"):
                parameter.add_(0.2 * torch.randn_like(parameter))
    model = model.to(getattr(torch, spec["dtype"]))
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory, max_shard_size=spec.get("shards", "1GB"))
    (directory / "generation_config.json").unlink(missing_ok=True)


def expect(directory, seed):
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float64,
                                                              attn_implementation="eager").eval()
    tokens = torch.randint(0, VOCAB, (CONTEXT,))
    greedy = tokens[:PROMPT].tolist()
    with torch.no_grad():
        logits = model(tokens[None]).logits[0]
        while len(greedy) < CONTEXT:
            best = torch.topk(model(torch.tensor([greedy])).logits[0, -1], 2)
            assert best.values[0] - best.values[1] > 1e-3, "choose another seed: two tokens are as likely"
            greedy.append(best.indices[0].item())
    safetensors.torch.save_file({"tokens": tokens.int(), "logits": logits.float().contiguous(),
                                 "prompt": tokens[:PROMPT].int().clone(),
                                 "greedy": torch.tensor(greedy, dtype=torch.int32)},
                                directory / "expected.safetensors", metadata={"format": "pt"})


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for seed, (name, spec) in enumerate(MODELS.items()):
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        directory = pathlib.Path(sys.argv[1]) / name
        save(directory, spec, seed)
        expect(directory, seed + 100)
        config = json.loads((directory / "config.json").read_text())
        size = sum(path.stat().st_size for path in directory.iterdir())
        print(f"{directory}: {config['architectures'][0]}, {size} bytes")


if __name__ == "__main__":
    main()
