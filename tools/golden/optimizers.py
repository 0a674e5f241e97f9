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


def dynamic_map(signed):
    """The values of 8-bit dynamic quantization (arXiv:2110.02861), ascending: in each of seven decades up to 1, equally
    wide cells between a tenth and the whole, twice as many as in the decade below; and 0 and 1."""
    values = [0.0, 1.0]
    for decade in range(7):
        edges = torch.linspace(0.1, 1.0, 2 ** (decade + (0 if signed else 1)) + 1, dtype=torch.float64)
        middles = 10.0 ** (decade - 6) * (edges[:-1] + edges[1:]) / 2
        values += middles.tolist() + ((-middles).tolist() if signed else [])
    assert len(values) == 256
    return torch.tensor(sorted(values), dtype=torch.float64)


class AdamW8:
    """AdamW with both moments of large tensors in 8 bits (arXiv:2110.02861). A block of 256 elements of a tensor as vkgpt
    stores it (q, k, v stacked; the vocabulary padded with zeros to a multiple of 64) has a scale, its largest magnitude.
    Weights see the moments before these are rounded to the nearest code; a second moment that is not zero stays so."""

    BLOCK = 256
    MIN_ELEMENTS = 4096
    MAPS = dynamic_map(True), dynamic_map(False)

    def __init__(self, parameters):
        self.tensors = []
        small = []
        for name, (ps, transposed) in parameters.items():
            rows = sum(p.shape[0] for p in ps)
            if name in ("wte.weight", "lm_head.weight"):
                rows = (rows + 63) // 64 * 64
            count = rows * ps[0][0].numel()
            if count < self.MIN_ELEMENTS:
                small.extend(ps)
                continue
            assert not transposed, "blocks of [in, out] matrices are not written"
            blocks = -(-count // self.BLOCK)
            moments = [[torch.zeros(blocks, self.BLOCK, dtype=torch.long), torch.zeros(blocks, 1, dtype=torch.float64)]
                       for _ in range(2)]
            self.tensors.append((ps, moments))
        self.small = adamw_of(small)
        self.steps = 0

    @torch.no_grad()
    def step(self):
        self.small.step()
        self.steps += 1
        for ps, moments in self.tensors:
            self.update(ps, moments)

    def update(self, ps, moments):
        gradient = torch.zeros(moments[0][0].numel(), dtype=torch.float64)
        flat = torch.cat([p.grad.flatten() for p in ps])
        gradient[:flat.numel()] = flat
        gradient = gradient.view(-1, self.BLOCK)
        new = []
        for moment, values, beta, sample in zip(moments, self.MAPS, BETAS, (gradient, gradient.square())):
            codes, scale = moment
            value = beta * values[codes] * scale + (1 - beta) * sample
            new.append(value)
            moment[1] = value.abs().amax(dim=1, keepdim=True)
            normed = value / torch.where(moment[1] > 0, moment[1], 1.0)
            moment[0] = torch.searchsorted((values[:-1] + values[1:]) / 2, normed)
        moments[1][0].masked_fill_((new[1] > 0) & (moments[1][0] == 0), 1)
        m, v = (value / (1 - beta ** self.steps) for value, beta in zip(new, BETAS))
        adam = (m / (v.sqrt() + 1e-8)).flatten()
        begin = 0
        for p in ps:
            decay = WEIGHT_DECAY if p.dim() >= 2 else 0.0
            p -= LEARNING_RATE * (adam[begin:begin + p.numel()].view_as(p) + decay * p)
            begin += p.numel()


ALL = {"adamw": adamw, "lion": Lion, "muon": Muon, "adamw8": AdamW8}
