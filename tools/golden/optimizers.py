"""The optimizers of make_model_golden.py. Each takes vkgpt's table of parameters (`named` there) and has `step()`."""

import torch

CLIP = 1.0
STEPS = 20
LEARNING_RATE = 1e-3
BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
LION_LEARNING_RATE = 3e-4
LION_BETAS = (0.9, 0.99)
MUON_MOMENTUM = 0.95


def tensors(parameters):
    return [p for ps, _ in parameters.values() for p in ps]


def adamw_of(params):
    groups = [{"params": [p for p in params if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
              {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=LEARNING_RATE, betas=BETAS, eps=1e-8)


def adamw(parameters):
    return adamw_of(tensors(parameters))


class Lion:
    """arXiv:2302.06675, algorithm 2."""

    def __init__(self, parameters):
        self.state = [(p, torch.zeros_like(p)) for p in tensors(parameters)]

    @torch.no_grad()
    def step(self):
        beta1, beta2 = LION_BETAS
        for p, m in self.state:
            decay = WEIGHT_DECAY if p.dim() >= 2 else 0.0
            p -= LION_LEARNING_RATE * (torch.sign(beta1 * m + (1 - beta1) * p.grad) + decay * p)
            m.copy_(beta2 * m + (1 - beta2) * p.grad)


def newton_schulz(gradient, coefficients, steps, eps):
    """torch's own, but in the gradient's precision: torch rounds to bfloat16 here."""
    a, b, c = coefficients
    tall = gradient.shape[0] > gradient.shape[1]
    x = gradient.t() if tall else gradient
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.t()
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.t() if tall else x


class Muon:
    """torch.optim.Muon for matrices, AdamW for embeddings, head and vectors. Queries, keys, values, gate and up are
    matrices of their own."""

    def __init__(self, parameters):
        matrices, others = [], []
        for name, (ps, _) in parameters.items():
            is_matrix = ps[0].dim() == 2 and name not in ("wte.weight", "wpe.weight", "lm_head.weight")
            (matrices if is_matrix else others).extend(ps)
        torch.optim._muon._zeropower_via_newtonschulz = newton_schulz
        self.muon = torch.optim.Muon(matrices, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, momentum=MUON_MOMENTUM,
                                     nesterov=True, adjust_lr_fn="match_rms_adamw")
        self.adamw = adamw_of(others)

    def step(self):
        self.muon.step()
        self.adamw.step()


ALL = {"adamw": adamw, "lion": Lion, "muon": Muon}
