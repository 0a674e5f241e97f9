#!/usr/bin/env python3
"""Writes tests/golden/optimizers.safetensors: what PyTorch's optimizers make of a small regression.

usage: make_optimizer_golden.py OUT_DIR      (needs torch and safetensors; a CPU is enough)

y = W2 tanh(W1 x + b1) + b2 and the mean squared error over a fixed batch, in float64, rounded to float32 at the end.
"""

import pathlib
import sys

import safetensors.torch
import torch

import optimizers

BATCH, INPUTS, HIDDEN, OUTPUTS = 32, 63, 73, 25
SHAPES = {"w1": (HIDDEN, INPUTS), "b1": (HIDDEN,), "w2": (OUTPUTS, HIDDEN), "b2": (OUTPUTS,)}
STRIDE = 7  # of the final weights that are kept


def exact_in_float32(*shape):
    return torch.randn(shape, dtype=torch.float32).double()


def loss_of(p, x, y):
    return torch.nn.functional.mse_loss(torch.tanh(x @ p["w1"].t() + p["b1"]) @ p["w2"].t() + p["b2"], y)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(11)
    x, y = exact_in_float32(BATCH, INPUTS), exact_in_float32(BATCH, OUTPUTS)
    initial = {name: (0.25 * exact_in_float32(*shape)) for name, shape in SHAPES.items()}
    result = {"x": x, "y": y} | {f"param/{name}": t for name, t in initial.items()}
    for name, make in optimizers.ALL.items():
        parameters = {key: torch.nn.Parameter(t.clone()) for key, t in initial.items()}
        optimizer = make({key: ([p], False) for key, p in parameters.items()})
        losses, norms = [], []
        for _ in range(optimizers.STEPS):
            for p in parameters.values():
                p.grad = None
            loss = loss_of(parameters, x, y)
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(list(parameters.values()), optimizers.CLIP))
            losses.append(loss.detach())
            optimizer.step()
        result[f"{name}/losses"], result[f"{name}/grad_norms"] = torch.stack(losses), torch.stack(norms)
        flat = torch.cat([p.detach().flatten() for p in parameters.values()])
        result[f"{name}/weights"] = flat[::STRIDE]
        print(name, [round(float(l), 5) for l in losses], "norms", float(norms[0]), float(norms[-1]))
    path = pathlib.Path(sys.argv[1]) / "optimizers.safetensors"
    safetensors.torch.save_file({k: t.to(torch.float32).contiguous() for k, t in result.items()}, path,
                                metadata={"format": "pt"})
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
