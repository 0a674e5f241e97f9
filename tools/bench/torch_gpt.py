"""The models of vkgpt's presets in PyTorch, for measurements beside vkgpt: the same shapes, the same step."""

import time
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Shape:
    """As in vkgpt's GptConfig; the flags of `vkgpt bench step` that describe it are `flags()`."""

    name: str
    preset: str = ""  # of vkgpt; empty: its default model
    V: int = 65
    L: int = 4
    NH: int = 4
    NKV: int = 4
    C: int = 128
    F: int = 512
    T: int = 128
    llama: bool = False  # RMSNorm, SwiGLU, rotary positions, no biases
    padding: int = 64  # the vocabulary is padded to a multiple of it

    def flags(self):
        return (["--preset", self.preset] if self.preset else []) + ["--block_size", str(self.T)]

    def flops_per_token(self, parameters):
        """6 N + 12 L C T, N without position embeddings: what vkgpt counts."""
        positions = 0 if self.llama else self.T * self.C
        return 6 * (parameters - positions) + 12 * self.L * self.C * self.T


DEFAULT = Shape("default model (0.82 M)")
GPT2 = Shape("GPT-2 124M", preset="gpt2", V=50257, L=12, NH=12, NKV=12, C=768, F=3072, T=1024)
SMOLLM2 = Shape("SmolLM2 135M", preset="smollm2-135m", V=49152, L=30, NH=9, NKV=3, C=576, F=1536, T=128, llama=True)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s, self.HS = s, s.C // s.NH
        norm = nn.RMSNorm if s.llama else nn.LayerNorm
        bias = not s.llama
        self.ln_1, self.ln_2 = norm(s.C, eps=1e-5), norm(s.C, eps=1e-5)
        self.qkv = nn.Linear(s.C, (s.NH + 2 * s.NKV) * self.HS, bias=bias)
        self.out = nn.Linear(s.C, s.C, bias=bias)
        self.up = nn.Linear(s.C, 2 * s.F if s.llama else s.F, bias=bias)
        self.down = nn.Linear(s.F, s.C, bias=bias)

    def forward(self, x, rotary):
        s, (B, T, C) = self.s, x.shape
        q, k, v = self.qkv(self.ln_1(x)).split((s.NH * self.HS, s.NKV * self.HS, s.NKV * self.HS), dim=2)
        q = q.view(B, T, s.NH, self.HS).transpose(1, 2)
        k = k.view(B, T, s.NKV, self.HS).transpose(1, 2)
        v = v.view(B, T, s.NKV, self.HS).transpose(1, 2)
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=s.NKV != s.NH)
        x = x + self.out(y.transpose(1, 2).reshape(B, T, C))
        h = self.up(self.ln_2(x))
        if s.llama:
            gate, h = h.chunk(2, dim=-1)
            h = F.silu(gate) * h
        else:
            h = F.gelu(h, approximate="tanh")
        return x + self.down(h)


class Gpt(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        padded = -(-s.V // s.padding) * s.padding
        self.wte = nn.Embedding(padded, s.C)
        self.wpe = None if s.llama else nn.Embedding(s.T, s.C)
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.L))
        self.ln_f = (nn.RMSNorm if s.llama else nn.LayerNorm)(s.C, eps=1e-5)
        self.head = nn.Linear(s.C, padded, bias=False)
        self.head.weight = self.wte.weight
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
        HS = s.C // s.NH
        angles = torch.outer(torch.arange(s.T), 10000.0 ** (-torch.arange(0, HS, 2) / HS))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens, targets):
        T = tokens.shape[1]
        x = self.wte(tokens)
        if self.wpe is not None:
            x = x + self.wpe.weight[:T]
        rotary = (self.cos[:T].to(x.dtype), self.sin[:T].to(x.dtype)) if self.s.llama else None
        for block in self.blocks:
            x = block(x, rotary)
        logits = self.head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.view(-1))


def parameter_count(model):
    padding = model.wte.weight.shape[0] - model.s.V
    return sum(p.numel() for p in model.parameters()) - padding * model.s.C


def time_step(shape, B, device, dtype=torch.float32, compile=False, steps=7, budget=20):
    """Median seconds of a whole step (forward, backward, clipping, AdamW), and the parameters. No fewer than three
    steps are timed, and no more than `steps` or what `budget` seconds hold."""
    torch.manual_seed(1)
    model = Gpt(shape).to(device)
    is_gpu = device != "cpu"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=is_gpu)
    run = torch.compile(model) if compile else model
    tokens = torch.randint(shape.V, (B, shape.T), device=device)
    targets = torch.randint(shape.V, (B, shape.T), device=device)

    def step():
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            loss = run(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def synchronize():
        if is_gpu:
            torch.cuda.synchronize()

    for _ in range(2):
        step()
    times = []
    while len(times) < 3 or (len(times) < steps and sum(times) < budget):
        synchronize()
        start = time.perf_counter()
        step()
        synchronize()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2], parameter_count(model)
