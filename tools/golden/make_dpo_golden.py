#!/usr/bin/env python3
"""Writes tests/golden/dpo.safetensors: direct preference optimization of llama_tiny on three pairs.

usage: make_dpo_golden.py OUT_DIR      (needs torch, transformers and safetensors, and OUT_DIR/llama_tiny.safetensors)

The loss is that of TRL's DPOTrainer with loss_type "sigmoid" (arXiv:2305.18290; label smoothing as its versions before 1 had
it), each reply by itself in float64; the
reference is the same model with other weights. `full` trains all parameters, `lora` adapters of attn.c_proj and
mlp.c_proj (rank 2, alpha 4).
"""

import pathlib
import sys

import safetensors.numpy
import safetensors.torch
import torch

import make_model_golden as golden

BETA = 0.3
PAIRS = [(6, 8, 3), (5, 6, 2), (4, 5, 2)]  # tokens of both replies, of which the first so many are the prompt
RANK, ALPHA = 2, 4.0
ADAPTED = {"attn.c_proj": "self_attn.o_proj", "mlp.c_proj": "mlp.down_proj"}


def load(path, config):
    model = golden.build(config)
    stored = safetensors.numpy.load_file(path)  # float32 of torch means float64 here
    with torch.no_grad():
        for name, (parameters, _) in golden.named(model, config).items():
            rows = torch.from_numpy(stored[f"param/{name}"]).double().split([p.shape[0] for p in parameters])
            for parameter, values in zip(parameters, rows):
                parameter.copy_(values)
    return model


def log_probability(model, weights, tokens, prompt):
    logits = torch.func.functional_call(model, weights, (tokens[None],)).logits[0, :-1]
    each = torch.log_softmax(logits, -1).gather(1, tokens[1:, None].long())[:, 0]
    return each[prompt - 1:].sum()


def scores(model, weights, replies):
    return torch.stack([torch.stack([log_probability(model, weights, tokens, prompt) for tokens in pair])
                        for *pair, prompt in replies])


def dpo(model, weights, replies, reference, smoothing):
    """(loss, [rewards of the chosen, of the rejected, share of pairs won, margin])."""
    policy = scores(model, weights, replies)
    logits = (policy[:, 0] - policy[:, 1]) - (reference[:, 0] - reference[:, 1])
    losses = (-torch.nn.functional.logsigmoid(BETA * logits) * (1 - smoothing)
              - torch.nn.functional.logsigmoid(-BETA * logits) * smoothing)
    rewards = BETA * (policy - reference).detach()
    means = [rewards[:, 0].mean(), rewards[:, 1].mean(), (rewards[:, 0] > rewards[:, 1]).double().mean(),
             (rewards[:, 0] - rewards[:, 1]).mean()]
    return losses.mean(), torch.stack(means)


def with_adapters(model, adapters):
    weights = dict(model.named_parameters())
    for name, (a, b) in adapters.items():
        layer, ours = name.split(".", 1)
        theirs = f"model.layers.{layer}.{ADAPTED[ours]}.weight"
        weights[theirs] = weights[theirs].detach() + ALPHA / RANK * (b @ a)
    return weights


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    out = pathlib.Path(sys.argv[1])
    config = golden.VARIANTS["llama_tiny"]
    model = load(out / "llama_tiny.safetensors", config)
    torch.manual_seed(11)
    replies = []
    for chosen, rejected, prompt in PAIRS:
        start = torch.randint(0, config["vocab_size"], (prompt,))
        replies.append((*(torch.cat([start, torch.randint(0, config["vocab_size"], (n - prompt,))])
                          for n in (chosen, rejected)), prompt))
    plain = dict(model.named_parameters())
    with torch.no_grad():
        reference = scores(model, {name: 0.9 * value for name, value in plain.items()}, replies).float().double()
    flat = [(tokens, prompt) for *pair, prompt in replies for tokens in pair]
    result = {"tokens": torch.cat([tokens for tokens, _ in flat]),
              "lengths": torch.tensor([len(tokens) for tokens, _ in flat]),
              "counted": torch.cat([(torch.arange(len(tokens)) >= prompt).int() for tokens, prompt in flat]),
              "reference": reference, "beta": torch.tensor([BETA])}
    for smoothing in (0.0, 0.2):
        loss, rewards = dpo(model, plain, replies, reference, smoothing)
        result |= {f"full/{smoothing}/loss": loss.detach().view(1), f"full/{smoothing}/rewards": rewards}
        if smoothing == 0:
            result |= golden.gradients(model, config, loss, f"full/{smoothing}/grad/")
        print(f"smoothing {smoothing}: loss {loss.item():.6f}, rewards {rewards.tolist()}")
    adapters = {}
    for layer in range(config["n_layer"]):
        for ours, theirs in ADAPTED.items():
            rows, columns = plain[f"model.layers.{layer}.{theirs}.weight"].shape
            adapters[f"{layer}.{ours}"] = tuple((0.3 * torch.randn(shape)).float().double().requires_grad_()
                                                for shape in ((RANK, columns), (rows, RANK)))
    loss, rewards = dpo(model, with_adapters(model, adapters), replies, reference, 0.0)
    loss.backward()
    result |= {"lora/loss": loss.detach().view(1), "lora/rewards": rewards}
    for name, (a, b) in adapters.items():
        for letter, factor in (("A", a), ("B", b)):
            result[f"lora/param/h.{name}.lora_{letter}.weight"] = factor.detach()
            result[f"lora/grad/h.{name}.lora_{letter}.weight"] = factor.grad
    print(f"lora: loss {loss.item():.6f}, rewards {rewards.tolist()}")
    result = {name: t.to(golden.FLOAT32 if t.is_floating_point() else torch.int32).contiguous()
              for name, t in result.items()}
    safetensors.torch.save_file(result, out / "dpo.safetensors", metadata={"format": "pt"})
    print(f"{(out / 'dpo.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    main()
