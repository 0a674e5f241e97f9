#!/usr/bin/env python3
"""Writes tests/golden/container.gguf with the gguf package's own writer and quantization.

    make_gguf_golden.py tests/golden

tests/model/gguf_writer_test.cpp writes the same contents and compares the files byte for byte.
"""

import sys
from pathlib import Path

import gguf
import numpy as np


def q8_0_rows() -> np.ndarray:
    """(3, 64): ties, zeros, halves of both signs, magnitudes from 1e-36 to 1e6."""
    x = np.zeros((6, 32), np.float32)
    i = np.arange(32)
    x[0] = (i - 16) + 0.5  # the scale is 1: every number lies halfway
    x[0, 31] = 127
    x[2] = ((i * 7919) % 2001 - 1000) / 64
    x[3] = ((i * 104729) % 4001 - 2000) / 3
    x[4] = (i - 11) * np.float32(2.0**-120)  # the scale rounds to 0
    x[5] = (((i * 31) % 64) - 32) * np.float32(1e6) / 32
    return x.reshape(3, 64)


def main() -> None:
    path = Path(sys.argv[1]) / "container.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("container")
    writer.add_uint32("u32", 4_000_000_000)
    writer.add_float32("f32", 1e-5)
    writer.add_bool("yes", True)
    writer.add_bool("no", False)
    writer.add_array("words", ["\u0120a", "", "zwei"])
    writer.add_array("numbers", [1, -2, 3])
    ramp = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5
    writer.add_tensor("f32", ramp)
    writer.add_tensor("f16", np.array([1 / 3, -2.5, 65504, 6e-8, 2049], np.float32).astype(np.float16))
    bf16 = gguf.quants.quantize(ramp, gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("bf16", bf16, raw_dtype=gguf.GGMLQuantizationType.BF16)
    q8_0 = gguf.quants.quantize(q8_0_rows(), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("q8_0", q8_0, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
