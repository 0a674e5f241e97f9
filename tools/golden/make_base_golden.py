"""Writes tests/golden/base_llama and base_qwen3: tiny models with adapters, and what PyTorch computes when all but the adapters is
quantized, in NF4 by bitsandbytes and in Q8_0 by the package gguf, or rounded to 16 bits. The token table, which is the classifier too,
is in Q8_0 beside both, rounded too beside 16 bits. q, k and v share an A, and so do gate and up, as in vkgpt.

Needs torch, transformers, peft, safetensors, gguf and bitsandbytes: python3 tools/golden/make_base_golden.py
With --add TYPE,... it leaves models and other types as they are and needs only the packages of those types.
"""

import pathlib
import shutil
import sys

import gguf
import peft
import safetensors.torch
import torch
import transformers

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"
STEPS, LENGTH, RANK, ALPHA = 20, 24, 4, 8
SHARED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
MODULES = {"attn.c_attn": ("self_attn", ("q_proj", "k_proj", "v_proj")), "attn.c_proj": ("self_attn", ("o_proj",)),
           "mlp.c_fc": ("mlp", ("gate_proj", "up_proj")), "mlp.c_proj": ("mlp", ("down_proj",))}


def q8_0(weight):
    flat = weight.numpy().reshape(-1, 32)
    blocks = gguf.quants.quantize(flat, gguf.GGMLQuantizationType.Q8_0)
    return torch.tensor(gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.Q8_0).reshape(weight.shape))


def nf4(weight):
    import bitsandbytes.functional
    packed, state = bitsandbytes.functional.quantize_4bit(weight.contiguous(), blocksize=64, quant_type="nf4")
    return bitsandbytes.functional.dequantize_4bit(packed, state).reshape(weight.shape)


def f16(weight):
    return weight.half().float()


def bf16(weight):
    return weight.bfloat16().float()


TYPES = {"q8_0": (q8_0, q8_0), "nf4": (nf4, q8_0), "f16": (f16, f16), "bf16": (bf16, bf16)}  # of matrices and of the table


def base_model(kind):
    sizes = dict(vocab_size=61, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=LENGTH, tie_word_embeddings=True,
                 bos_token_id=0, eos_token_id=0, initializer_range=0.15)
    if kind == "llama":
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    else:
        model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(head_dim=16, **sizes))
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.half().float()
    return model


def add_adapters(model, seed):
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, task_type="CAUSAL_LM",
                             target_modules=[name for group in MODULES.values() for name in group[1]])
    adapted = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(seed)
    modules = dict(adapted.named_modules())
    for name, module in modules.items():
        if not hasattr(module, "lora_A"):
            continue
        stem, last = name.rsplit(".", 1)
        for matrix in (module.lora_A["default"], module.lora_B["default"]):
            matrix.weight.data = torch.randn(matrix.weight.shape, generator=generator) * 0.1
        for group in SHARED:
            if last in group[1:]:
                module.lora_A["default"].weight = modules[f"{stem}.{group[0]}"].lora_A["default"].weight
    return adapted


def gradients(adapted, layers):
    result = {}
    modules = dict(adapted.named_modules())
    for layer in range(layers):
        for ours, (part, names) in MODULES.items():
            own = [modules[f"base_model.model.model.layers.{layer}.{part}.{name}"] for name in names]
            result[f"h.{layer}.{ours}.lora_A.weight"] = own[0].lora_A["default"].weight.grad.clone()
            result[f"h.{layer}.{ours}.lora_B.weight"] = torch.cat([m.lora_B["default"].weight.grad for m in own])
    return result


def train(kind, directory, quantize, quantize_table, tokens):
    """Losses of AdamW's steps, and the gradients of the first."""
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    table = model.get_input_embeddings().weight
    table.data = quantize_table(table.data)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and parameter is not table:
            parameter.data = quantize(parameter.data)
    adapted = add_adapters(model, 7).double()
    trained = list({id(p): p for p in adapted.parameters() if p.requires_grad}.values())
    optimizer = torch.optim.AdamW(trained, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
    losses, first = [], None
    for _ in range(STEPS):
        optimizer.zero_grad()
        logits = adapted(tokens[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:])
        loss.backward()
        first = first or gradients(adapted, 2)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses, first


def write_models(directory, kind):
    shutil.rmtree(directory, ignore_errors=True)
    base_model(kind).half().save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    adapted = add_adapters(transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32), 7)
    adapted.save_pretrained(directory / "adapter")
    (directory / "adapter" / "README.md").unlink(missing_ok=True)
    shutil.copy(directory / "config.json", directory / "adapter")


def main():
    added = sys.argv[2].split(",") if sys.argv[1:2] == ["--add"] else []
    for kind in ("llama", "qwen3"):
        torch.manual_seed(3)
        directory = GOLDEN / f"base_{kind}"
        if not added:
            write_models(directory, kind)
        tokens = torch.randint(0, 61, (1, LENGTH + 1), generator=torch.Generator().manual_seed(5))
        expected = safetensors.torch.load_file(directory / "expected.safetensors") if added else {"tokens": tokens[0].to(torch.int32)}
        for name in added or TYPES:
            losses, first = train(kind, directory, *TYPES[name], tokens)
            expected[f"{name}/losses"] = torch.tensor(losses, dtype=torch.float32)
            for parameter, gradient in first.items():
                expected[f"{name}/grad/{parameter}"] = gradient.float().contiguous()
            print(kind, name, losses[0], losses[-1])
        safetensors.torch.save_file(expected, directory / "expected.safetensors")


if __name__ == "__main__":
    main()
