"""Writes tests/golden/blocks.json: numbers, and the blocks that the libraries make of them. Q8_0 and Q4_0 are those of the
package gguf (ggml's reference), NF4 those of bitsandbytes (its CPU backend).

Needs numpy, gguf, torch and bitsandbytes: python3 tools/golden/make_blocks_golden.py
"""

import json
import pathlib

import bitsandbytes.functional
import numpy
import torch
from gguf import GGMLQuantizationType, quants

PATH = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "blocks.json"


def numbers():
    """Rows of 64: of several scales, with a lone large number, of few levels, and zeros."""
    random = numpy.random.default_rng(15)
    rows = [random.normal(0, scale, 64) for scale in (1, 0.02, 3e-3, 50)]
    lone = random.normal(0, 0.01, 64)
    lone[[5, 40]] = -3, 2
    rows += [lone, random.integers(-8, 8, 64) / 8, numpy.zeros(64), -numpy.abs(random.normal(0, 0.1, 64))]
    return numpy.array(rows, dtype=numpy.float32)


def planes(blocks, scale_bytes, unpack):
    """The quants of ggml's blocks in the order of the numbers, and the bits of their scales."""
    blocks = blocks.reshape(-1, blocks.shape[-1] if blocks.ndim == 2 else 1)
    scales = blocks[:, :scale_bytes].copy().view(numpy.uint16).ravel()
    return {"quants": unpack(blocks[:, scale_bytes:]).ravel().tolist(), "scales": scales.tolist()}


def main():
    values = numbers()
    flat = values.reshape(-1, 32)
    q8 = quants.quantize(flat, GGMLQuantizationType.Q8_0).reshape(-1, 34)
    q4 = quants.quantize(flat, GGMLQuantizationType.Q4_0).reshape(-1, 18)
    packed, state = bitsandbytes.functional.quantize_4bit(torch.tensor(values), blocksize=64, quant_type="nf4")
    packed = packed.numpy().ravel()
    PATH.write_text(json.dumps({
        "values": values.ravel().view(numpy.uint32).tolist(),
        "q8_0": planes(q8, 2, lambda b: b),
        "q4_0": planes(q4, 2, lambda b: numpy.concatenate([b & 15, b >> 4], axis=1)),
        "nf4": {"quants": numpy.stack([packed >> 4, packed & 15], axis=1).ravel().tolist(),
                "scales": state.absmax.numpy().view(numpy.uint32).tolist()},
        "nf4_values": bitsandbytes.functional.dequantize_4bit(torch.tensor(packed).reshape(-1, 1), state)
        .numpy().ravel().view(numpy.uint32).tolist(),
    }) + "\n")


if __name__ == "__main__":
    main()
