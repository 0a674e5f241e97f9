#!/usr/bin/env python3
"""Writes tests/golden/quants.gguf: random blocks of every quantized type that vkgpt reads, and beside each tensor
NAME the numbers that the Python package gguf makes of it, NAME.expected in F32.

    python3 -m venv venv && venv/bin/pip install gguf numpy && venv/bin/python tools/golden/make_quants_golden.py tests/golden
"""
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, quants
from gguf.constants import GGML_QUANT_SIZES

HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2],
          Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.F16: [0], Type.BF16: []}


def main():
    random = np.random.default_rng(7)
    writer = GGUFWriter(sys.argv[1] + "/quants.gguf", "test")
    for kind, halves in HALVES.items():
        values, size = GGML_QUANT_SIZES[kind]
        blocks = 2 * 256 // values
        data = random.integers(0, 256, (blocks, size), dtype=np.uint8)
        for at in halves:  # scales that are finite
            data[:, at:at + 2] = random.normal(0, 0.1, blocks).astype(np.float16).view(np.uint8).reshape(blocks, 2)
        if kind == Type.BF16:
            data[:, 1] &= 0x3f
        data = data.reshape(2, -1)
        expected = quants.dequantize(data, kind).astype(np.float32)
        name = kind.name.lower()
        writer.add_tensor(name, data, raw_dtype=kind)
        writer.add_tensor(name + ".expected", expected)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
