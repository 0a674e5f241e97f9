#!/usr/bin/env python3
"""Writes tests/golden/gpt2_*.safetensors: what PyTorch computes for tiny GPT-2 models.

usage: make_gpt2_golden.py OUT_DIR      (needs torch, transformers and safetensors; a CPU is enough)

The model is Hugging Face's GPT2LMHeadModel. Its weights are random float32 values; everything is computed from them
in float64 and rounded to float32 once, at the end, so that the files depend on no kernel's summation order.
"""

import pathlib
import sys

import safetensors.torch
import torch
import transformers

STEPS = 10
LEARNING_RATE = 1e-3
BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
CLIP = 1.0
PROMPT_LENGTH = 5

VARIANTS = {
    "gpt2_tiny": dict(V=97, T=24, L=2, NH=2, C=32, B=3, tied=True, seed=1),
    "gpt2_tiny_untied": dict(V=37, T=13, L=1, NH=2, C=16, B=2, tied=False, seed=2),
}


def build(config):
    torch.manual_seed(config["seed"])
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config["V"], n_positions=config["T"], n_embd=config["C"], n_layer=config["L"],
            n_head=config["NH"], activation_function="gelu_new", layer_norm_epsilon=1e-5, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, tie_word_embeddings=config["tied"], use_cache=False,
            bos_token_id=None, eos_token_id=None, attn_implementation="eager")).double().eval()
    # GPT-2's own initialization leaves attention nearly uniform and biases zero: a wrong score or a lost bias would
    # hardly show. These weights are larger.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = 0.2 * torch.randn(parameter.shape, dtype=torch.float32)
            is_norm_weight = ".ln_" in name and name.endswith("weight")
            parameter.copy_((1.0 + values if is_norm_weight else values).double())
    return model


def named(model):
    """(vkgpt's name, parameter, whether it is a Conv1D weight, stored [in, out])."""
    for name, parameter in model.named_parameters():
        yield name.removeprefix("transformer."), parameter, ".c_" in name and name.endswith("weight")


def out_in(tensor, transposed):
    return (tensor.t() if transposed else tensor).detach().to(torch.float32).clone().contiguous()


def loss_of(logits, targets):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)


def greedy(model, prompt, length):
    tokens = prompt.clone()
    while tokens.shape[1] < length:
        best = torch.topk(model(tokens).logits[0, -1], 2)
        # A near-tie would make the golden depend on rounding.
        assert best.values[0] - best.values[1] > 1e-2, "choose another seed"
        tokens = torch.cat([tokens, best.indices[:1].view(1, 1)], dim=1)
    return tokens


def make(config):
    model = build(config)
    B, T, V = config["B"], config["T"], config["V"]
    tokens = torch.randint(0, V, (B, T))
    targets = torch.randint(0, V, (B, T))
    prompt = torch.randint(0, V, (1, PROMPT_LENGTH))
    result = {f"param/{name}": out_in(p, t) for name, p, t in named(model)}
    with torch.no_grad():
        result["greedy"] = greedy(model, prompt, T)[0]
    result["prompt"] = prompt[0]

    groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
              {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=1e-8)
    losses, norms = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = model(tokens).logits
        loss = loss_of(logits, targets)
        loss.backward()
        if step == 0:
            result["logits"] = logits.detach()
            result["loss"] = loss.detach().view(1)
            result |= {f"grad/{name}": out_in(p.grad, t) for name, p, t in named(model)}
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP))
        losses.append(loss.detach())
        optimizer.step()
    result["losses"] = torch.stack(losses)
    result["grad_norms"] = torch.stack(norms)
    result["tokens"], result["targets"] = tokens, targets
    result["config"] = torch.tensor([V, T, config["L"], config["NH"], config["C"], B, int(config["tied"])])
    return {name: t.to(torch.float32 if t.is_floating_point() else torch.int32).contiguous()
            for name, t in result.items()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, config in VARIANTS.items():
        tensors = make(config)
        path = pathlib.Path(sys.argv[1]) / f"{name}.safetensors"
        safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
        print(f"{path}: {path.stat().st_size} bytes, losses {tensors['losses'].tolist()},"
              f" norms {tensors['grad_norms'].tolist()}, greedy {tensors['greedy'].tolist()}")


if __name__ == "__main__":
    main()
