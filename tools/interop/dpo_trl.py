#!/usr/bin/env python3
"""Compares tests/golden/dpo.safetensors, which vkgpt's tests hold it to, with TRL's own DPOTrainer.

    venv/bin/python tools/interop/dpo_trl.py tests/golden      (pip install torch transformers trl)

TRL's `_compute_loss` (1.16) runs on the golden's pairs and weights, padded as its collator pads them, in float64. Its "sigmoid"
loss no longer knows label smoothing; that part of the golden has the formula of its earlier versions.
"""
import pathlib
import sys
import types
from collections import defaultdict

HERE = pathlib.Path(__file__).resolve().parent
sys.path.pop(0)  # this directory, whose tokenizers.py is not the package
sys.path.insert(0, str(HERE.parent / "golden"))

import safetensors.numpy
import torch
import trl  # before make_model_golden gives float32 another meaning

import make_dpo_golden
import make_model_golden


class Policy(torch.nn.Module):
    """A causal model that answers with the log-probabilities of its labels, as TRL asks for them."""

    def __init__(self, model, weights):
        super().__init__()
        self.inner, self.weights = model, weights

    def forward(self, input_ids, attention_mask, labels, **_):
        logits = torch.func.functional_call(self.inner, self.weights, (input_ids,), {"attention_mask": attention_mask}).logits
        counted = labels[:, 1:] != -100
        chosen = labels[:, 1:].masked_fill(~counted, 0)
        log_probs = torch.log_softmax(logits[:, :-1], -1).gather(2, chosen[:, :, None])[:, :, 0] * counted
        zeros = torch.zeros_like(log_probs)
        return types.SimpleNamespace(log_probs=log_probs, entropies=zeros, logits=logits, mean_logits=logits.mean(-1), aux_loss=None, is_top1=zeros.bool(),
                                     entropy=zeros, num_correct=zeros, loss=None)


def batch_of(golden):
    replies, at = [], 0
    for length in golden["lengths"]:
        replies.append((golden["tokens"][at:at + length], golden["counted"][at:at + length]))
        at += length
    replies = replies[0::2] + replies[1::2]  # all chosen, then all rejected
    width = max(len(tokens) for tokens, _ in replies)
    ids, mask, counted = (torch.zeros(len(replies), width, dtype=torch.long) for _ in range(3))
    for row, (tokens, marks) in enumerate(replies):
        ids[row, :len(tokens)] = torch.from_numpy(tokens).long()
        mask[row, :len(tokens)] = 1
        counted[row, :len(tokens)] = torch.from_numpy(marks).long()
    reference = torch.from_numpy(golden["reference"]).double()
    return {"input_ids": ids, "attention_mask": mask, "completion_mask": counted, "ref_chosen_logps": reference[:, 0],
            "ref_rejected_logps": reference[:, 1]}


def trainer_of(policy, beta):
    args = types.SimpleNamespace(gradient_checkpointing_kwargs=None)
    accelerator = types.SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x, unwrap_model=lambda x: x)
    metrics = {"train": defaultdict(list), "eval": defaultdict(list)}
    return types.SimpleNamespace(model=policy, args=args, accelerator=accelerator, aux_loss_enabled=False, ld_alpha=None,
                                 precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_types=["sigmoid"], loss_weights=[1.0],
                                 beta=beta, use_weighting=False, _metrics=metrics, _total_train_tokens=0,
                                 _tp_size=1, state=types.SimpleNamespace(num_input_tokens_seen=0))


def check(name, value, wanted):
    difference = abs(value - wanted)
    print(f"{name}: TRL {value:.7f}, golden {wanted:.7f}")
    return difference < 1e-6


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    golden = safetensors.numpy.load_file(directory / "dpo.safetensors")
    config = make_model_golden.VARIANTS["llama_tiny"]
    model = make_dpo_golden.load(directory / "llama_tiny.safetensors", config)
    policy = Policy(model, dict(model.named_parameters()))
    trainer = trainer_of(policy, float(golden["beta"][0]))
    loss = trl.DPOTrainer._compute_loss(trainer, policy, batch_of(golden), False)
    good = check("loss", loss.item(), float(golden["full/0.0/loss"][0]))
    for key, wanted in zip(("chosen", "rejected", "accuracies", "margins"), golden["full/0.0/rewards"]):
        good &= check(f"rewards/{key}", float(trainer._metrics["train"][f"rewards/{key}"][-1]), float(wanted))
    gradients = make_model_golden.gradients(model, config, loss, "")
    worst = max(abs(gradients[name].numpy() - golden[f"full/0.0/grad/{name}"]).max() for name in gradients)
    print(f"largest difference of a gradient {worst:.1e}")
    good &= bool(worst < 1e-6)
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
