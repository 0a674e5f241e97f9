#!/usr/bin/env python3
"""Writes tests/golden/rope.json: the rotary frequencies that transformers computes from config.json files.

usage: make_rope_golden.py OUT_DIR      (needs torch and transformers)

Each case holds a `config` as a file has it, `frequencies` (head_dim / 2) in radians a position, and the
`attention_factor` that cosines and sines are multiplied by; of `dynamic` also the `length` (tokens) that they are for.
Computed in float64.
"""

import copy
import json
import pathlib
import sys

import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

# Everything that these functions compute in float32 is float64 here.
torch.float32 = torch.float = torch.float64

SHAPE = dict(vocab_size=64, hidden_size=256, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
             num_key_value_heads=2, rms_norm_eps=1e-6, tie_word_embeddings=True)


def model(kind="llama", context=4096, theta=10000.0, **more):
    return dict(SHAPE, model_type=kind, max_position_embeddings=context, rope_theta=theta, **more)


CASES = {
    "linear": dict(config=model(rope_scaling={"type": "linear", "factor": 2.5})),
    "linear_parameters": dict(config=model(rope_parameters={"rope_type": "linear", "factor": 4.0,
                                                            "rope_theta": 500000.0})),
    "dynamic": dict(config=model(context=2048, rope_scaling={"type": "dynamic", "factor": 2.0}), length=2048),
    "dynamic_longer": dict(config=model(context=2048, rope_scaling={"type": "dynamic", "factor": 2.0}), length=5000),
    "dynamic_head_128": dict(config=model(context=2048, hidden_size=512,
                                          rope_scaling={"rope_type": "dynamic", "factor": 4.0}), length=16384),
    "yarn_qwen": dict(config=model("qwen2", 32768, 1000000.0, hidden_size=512, rope_scaling={
        "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768})),
    "yarn_longer": dict(config=model("qwen3", 131072, 1000000.0, head_dim=128, rope_parameters={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "rope_theta": 1000000.0})),
    "yarn_no_original": dict(config=model(rope_scaling={"rope_type": "yarn", "factor": 8.0})),
    "yarn_attention_factor": dict(config=model(rope_scaling={
        "rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 512, "attention_factor": 0.75})),
    "yarn_mscale": dict(config=model(rope_scaling={
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 1.0,
        "mscale_all_dim": 0.707, "beta_fast": 32, "beta_slow": 1})),
    "yarn_mscale_alone": dict(config=model(rope_scaling={
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 0.5})),
    "yarn_not_truncated": dict(config=model(rope_scaling={
        "rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 256, "truncate": False,
        "beta_fast": 16, "beta_slow": 2})),
    "yarn_short_ramp": dict(config=model(rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 100, "beta_fast": 1.5,
        "beta_slow": 1.4})),
    "llama3": dict(config=model("llama", 131072, 500000.0, hidden_size=512, rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192})),
    "smollm3": dict(config=model("smollm3", 65536, 5000000.0, rope_scaling={
        "rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32768})),
}


def expect(case):
    config = transformers.AutoConfig.for_model(**copy.deepcopy(case["config"]))
    function = ROPE_INIT_FUNCTIONS[config.rope_parameters["rope_type"]]
    frequencies, factor = function(config, "cpu", seq_len=case.get("length"))
    return dict(case, frequencies=[float(f) for f in frequencies.double()], attention_factor=float(factor))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = {name: expect(case) for name, case in CASES.items()}
    text = "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()) + "\n}\n"
    (pathlib.Path(sys.argv[1]) / "rope.json").write_text(text)
    print(f"{len(cases)} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
