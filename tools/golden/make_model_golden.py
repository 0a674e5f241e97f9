#!/usr/bin/env python3
"""Writes tests/golden/*_tiny*.safetensors: what PyTorch computes for tiny models of several architectures.

usage: make_model_golden.py OUT_DIR [NAME...]      (needs torch, transformers and safetensors; a CPU is enough)

The models are Hugging Face's: GPT2LMHeadModel, LlamaForCausalLM, Qwen3ForCausalLM, SmolLM3ForCausalLM,
Gemma3ForCausalLM, PhiForCausalLM. Their weights are
random float32 values; everything is computed from them in float64 and rounded to float32 once, at the end, so that the
files depend on no kernel's summation order.
"""

import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers

import optimizers

FLOAT32 = torch.float32
# These models compute norms, softmax and rotary angles in float32 whatever the type of their weights: here that name
# means float64, too.
torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double

STEPS = 10
PROMPT_LENGTH = 5
LABEL_SMOOTHING = 0.1
Z_LOSS = 1e-2

GPT2 = dict(family="gpt2", norm="layernorm", pos_encoding="learned", bias=True, layer_norm_eps=1e-5)
RMS_ROPE = dict(norm="rmsnorm", mlp="swiglu", pos_encoding="rope", bias=False)
VARIANTS = {
    "gpt2_tiny": dict(GPT2, seed=1, B=3, vocab_size=97, block_size=24, n_layer=2, n_head=2, n_embd=32, mlp="gelu",
                      tie_weights=True),
    "gpt2_tiny_untied": dict(GPT2, seed=2, B=2, vocab_size=37, block_size=13, n_layer=1, n_head=2, n_embd=16,
                             mlp="gelu", tie_weights=False),
    "gpt2_tiny_erf_softcap": dict(GPT2, seed=3, B=2, vocab_size=29, block_size=14, n_layer=1, n_head=2, n_embd=32,
                                  mlp="gelu_erf", tie_weights=True, logit_softcap=4.0, shaped=True),
    "llama_tiny": dict(RMS_ROPE, family="llama", seed=4, B=2, vocab_size=23, block_size=16, n_layer=2, n_head=4,
                       n_kv_head=2, n_embd=64, n_inner=24, rope_theta=10000.0, tie_weights=True, layer_norm_eps=1e-5,
                       trajectories=True),
    "qwen3_tiny_window": dict(RMS_ROPE, family="qwen3", seed=5, B=2, vocab_size=31, block_size=20, n_layer=2, n_head=2,
                              n_kv_head=1, n_embd=32, n_inner=64, rope_theta=500.0, attention_window=6, qk_norm=True,
                              tie_weights=False, layer_norm_eps=1e-6),
    "smollm3_tiny_layers": dict(RMS_ROPE, family="smollm3", seed=8, B=2, vocab_size=29, block_size=20, n_layer=3,
                                n_head=2, n_kv_head=1, n_embd=32, n_inner=40, rope_theta=300.0, attention_window=5,
                                window_layers="wfw", rope_layers="rn", rope_scaling="yarn", rope_factor=4.0,
                                rope_beta_fast=2.0, rope_beta_slow=0.25, rope_original_context=8, tie_weights=True,
                                layer_norm_eps=1e-5),
    "gemma3_tiny": dict(family="gemma3", seed=9, B=2, vocab_size=31, block_size=20, n_layer=3, n_head=2, n_kv_head=1,
                        n_embd=32, head_dim=24, n_inner=40, norm="rmsnorm1p", mlp="geglu", pos_encoding="rope",
                        rope_theta=900.0, rope_scaling="linear", rope_factor=4.0, rope_layers="llr",
                        rope_local_theta=50.0, attention_window=5, window_layers="wwf", attention_scalar=9.0,
                        qk_norm=True, branch_norms=True, bias=False, tie_weights=True, embedding_scale=32 ** 0.5,
                        layer_norm_eps=1e-5),
    "phi_tiny_relu2": dict(family="phi", seed=7, B=2, vocab_size=37, block_size=18, n_layer=2, n_head=2, n_embd=32,
                           n_inner=96, norm="layernorm", mlp="relu2", pos_encoding="rope", rope_theta=1000.0,
                           parallel_blocks=True, bias=True, tie_weights=False, layer_norm_eps=1e-4),
}
NOT_IN_GPT_CONFIG = ("family", "seed", "B", "shaped", "trajectories")


def build(config):
    common = dict(vocab_size=config["vocab_size"], bos_token_id=None, eos_token_id=None, pad_token_id=None,
                  use_cache=False, tie_word_embeddings=config["tie_weights"], attn_implementation="eager")
    if config["family"] == "gpt2":
        activation = {"gelu": "gelu_new", "gelu_erf": "gelu"}[config["mlp"]]
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(
            n_positions=config["block_size"], n_embd=config["n_embd"], n_layer=config["n_layer"],
            n_head=config["n_head"], activation_function=activation, layer_norm_epsilon=config["layer_norm_eps"],
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **common))
    else:
        rope = {"rope_type": "default", "rope_theta": config["rope_theta"]}
        common |= dict(hidden_size=config["n_embd"], intermediate_size=config["n_inner"],
                       num_hidden_layers=config["n_layer"], num_attention_heads=config["n_head"],
                       num_key_value_heads=config.get("n_kv_head", config["n_head"]),
                       max_position_embeddings=config["block_size"], rope_parameters=rope)
        if config["family"] == "llama":
            model = transformers.LlamaForCausalLM(
                transformers.LlamaConfig(rms_norm_eps=config["layer_norm_eps"], hidden_act="silu", **common))
        elif config["family"] == "smollm3":
            layers = range(config["n_layer"])
            rope |= {"rope_type": "yarn", "factor": config["rope_factor"], "beta_fast": config["rope_beta_fast"],
                     "beta_slow": config["rope_beta_slow"],
                     "original_max_position_embeddings": config["rope_original_context"]}
            kinds = {"w": "sliding_attention", "f": "full_attention"}
            model = transformers.SmolLM3ForCausalLM(transformers.SmolLM3Config(
                rms_norm_eps=config["layer_norm_eps"], hidden_act="silu", use_sliding_window=True,
                sliding_window=config["attention_window"],
                layer_types=[kinds[config["window_layers"][i % len(config["window_layers"])]] for i in layers],
                no_rope_layers=[int(config["rope_layers"][i % len(config["rope_layers"])] == "r") for i in layers],
                **common))
        elif config["family"] == "gemma3":
            kinds = {"w": "sliding_attention", "f": "full_attention"}
            local = {"rope_type": "default", "rope_theta": config["rope_local_theta"]}
            rope |= {"rope_type": "linear", "factor": config["rope_factor"]}
            common["rope_parameters"] = {"full_attention": rope, "sliding_attention": local}
            model = transformers.Gemma3ForCausalLM(transformers.Gemma3TextConfig(
                rms_norm_eps=config["layer_norm_eps"], hidden_activation="gelu_pytorch_tanh",
                head_dim=config["head_dim"], query_pre_attn_scalar=int(config["attention_scalar"]),
                sliding_window=config["attention_window"],
                layer_types=[kinds[letter] for letter in config["window_layers"]], **common))
        elif config["family"] == "qwen3":
            model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
                rms_norm_eps=config["layer_norm_eps"], hidden_act="silu", head_dim=config["n_embd"] // config["n_head"],
                use_sliding_window=True, sliding_window=config["attention_window"], max_window_layers=0, **common))
        else:
            rope["partial_rotary_factor"] = 1.0
            model = transformers.PhiForCausalLM(transformers.PhiConfig(
                layer_norm_eps=config["layer_norm_eps"], hidden_act="relu2", partial_rotary_factor=1.0, **common))
    model = model.double().eval()
    # The usual initialization leaves attention nearly uniform and biases zero: a wrong score or a lost bias would
    # hardly show. These weights are larger.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "lm_head.bias":  # vkgpt's head has none
                parameter.zero_()
                parameter.requires_grad_(False)
                continue
            values = 0.2 * torch.randn(parameter.shape, dtype=FLOAT32)
            is_norm_weight = parameter.dim() == 1 and name.endswith("weight")
            one = 1.0 if is_norm_weight and config["norm"] != "rmsnorm1p" else 0.0
            parameter.copy_((one + values).double())
    return model


LLAMA_NAMES = {
    "attn.c_attn.weight": ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"],
    "attn.c_proj.weight": ["self_attn.o_proj.weight"],
    "attn.q_norm.weight": ["self_attn.q_norm.weight"],
    "attn.k_norm.weight": ["self_attn.k_norm.weight"],
    "ln_1.weight": ["input_layernorm.weight"],
    "ln_2.weight": ["post_attention_layernorm.weight"],
    "mlp.c_fc.weight": ["mlp.gate_proj.weight", "mlp.up_proj.weight"],
    "mlp.c_proj.weight": ["mlp.down_proj.weight"],
}
GEMMA3_NAMES = LLAMA_NAMES | {
    "attn.ln_out.weight": ["post_attention_layernorm.weight"],
    "ln_2.weight": ["pre_feedforward_layernorm.weight"],
    "mlp.ln_out.weight": ["post_feedforward_layernorm.weight"],
}
PHI_NAMES = {f"{to}.{kind}": [f"{name}.{kind}" for name in names]
             for kind in ("weight", "bias")
             for to, names in {"attn.c_attn": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
                               "attn.c_proj": ["self_attn.dense"], "ln_1": ["input_layernorm"], "mlp.c_fc": ["mlp.fc1"],
                               "mlp.c_proj": ["mlp.fc2"]}.items()}


def named(model, config):
    """vkgpt's name -> (the parameters that it stacks along the first dimension, whether they are stored [in, out])."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if config["family"] == "gpt2":
        return {name.removeprefix("transformer."): ([p], ".c_" in name and name.endswith("weight"))
                for name, p in parameters.items()}
    result = {"wte.weight": ["model.embed_tokens.weight"]}
    for layer in range(config["n_layer"]):
        for to, names in {"phi": PHI_NAMES, "gemma3": GEMMA3_NAMES}.get(config["family"], LLAMA_NAMES).items():
            result[f"h.{layer}.{to}"] = [f"model.layers.{layer}.{name}" for name in names]
    final_norm = "final_layernorm" if config["family"] == "phi" else "norm"
    result |= {f"ln_f.{kind}": [f"model.{final_norm}.{kind}"] for kind in ("weight", "bias")}
    result["lm_head.weight"] = ["lm_head.weight"]
    result = {to: names for to, names in result.items() if names[0] in parameters}
    assert sorted(sum(result.values(), [])) == sorted(parameters), "every parameter once"
    return {to: ([parameters[name] for name in names], False) for to, names in result.items()}


def out_in(tensors, transposed):
    stacked = torch.cat([t.t() if transposed else t for t in tensors])
    return stacked.detach().to(FLOAT32).clone().contiguous()


def logits_of(model, config, tokens):
    logits = model(tokens).logits
    cap = config.get("logit_softcap", 0.0)
    return cap * torch.tanh(logits / cap) if cap else logits


def loss_of(logits, targets, smoothing=0.0, z_loss=0.0):
    plain = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1,
                                              label_smoothing=smoothing)
    return plain + z_loss * torch.logsumexp(logits, -1)[targets >= 0].square().mean()


def greedy(model, config, prompt, length):
    tokens = prompt.clone()
    while tokens.shape[1] < length:
        best = torch.topk(logits_of(model, config, tokens)[0, -1], 2)
        # A near-tie would make the golden depend on rounding.
        assert best.values[0] - best.values[1] > 1e-2, "choose another seed"
        tokens = torch.cat([tokens, best.indices[:1].view(1, 1)], dim=1)
    return tokens


def gradients(model, config, loss, prefix):
    model.zero_grad()
    loss.backward()
    return {prefix + name: out_in([p.grad for p in ps], t) for name, (ps, t) in named(model, config).items()}


def train(model, config, tokens, targets, optimizer, steps):
    """(losses, norms before clipping) of `steps` steps from the model's weights, which are put back."""
    start = {name: value.clone() for name, value in model.state_dict().items()}
    losses, norms = [], []
    for _ in range(steps):
        model.zero_grad()
        loss = loss_of(logits_of(model, config, tokens), targets)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), optimizers.CLIP))
        losses.append(loss.detach())
        optimizer.step()
    model.load_state_dict(start)
    return torch.stack(losses), torch.stack(norms)


def make(config):
    torch.manual_seed(config["seed"])
    model = build(config)
    B, T, V = config["B"], config["block_size"], config["vocab_size"]
    tokens = torch.randint(0, V, (B, T))
    targets = torch.randint(0, V, (B, T))
    prompt = torch.randint(0, V, (1, PROMPT_LENGTH))
    parameters = named(model, config)
    result = {f"param/{name}": out_in(ps, t) for name, (ps, t) in parameters.items()}
    with torch.no_grad():
        result["greedy"] = greedy(model, config, prompt, T)[0]
    result["prompt"] = prompt[0]
    result["tokens"], result["targets"] = tokens, targets

    logits = logits_of(model, config, tokens)
    loss = loss_of(logits, targets)
    result["logits"], result["loss"] = logits.detach(), loss.detach().view(1)
    result |= gradients(model, config, loss, "grad/")
    if config.get("shaped"):
        shaped = loss_of(logits_of(model, config, tokens), targets, LABEL_SMOOTHING, Z_LOSS)
        result["shaped_loss"] = shaped.detach().view(1)
        result |= gradients(model, config, shaped, "shaped_grad/")
    result["losses"], result["grad_norms"] = train(model, config, tokens, targets, optimizers.adamw(parameters), STEPS)
    if config.get("trajectories"):
        for name, optimizer in optimizers.ALL.items():
            losses, norms = train(model, config, tokens, targets, optimizer(parameters), optimizers.STEPS)
            result[f"trajectory/{name}/losses"], result[f"trajectory/{name}/grad_norms"] = losses, norms
    return {name: t.to(FLOAT32 if t.is_floating_point() else torch.int32).contiguous()
            for name, t in result.items()}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in sys.argv[2:] or VARIANTS:
        config = VARIANTS[name]
        tensors = make(config)
        path = pathlib.Path(sys.argv[1]) / f"{name}.safetensors"
        gpt_config = {key: value for key, value in config.items() if key not in NOT_IN_GPT_CONFIG}
        safetensors.torch.save_file(tensors, path, metadata={"format": "pt", "config": json.dumps(gpt_config)})
        print(f"{path}: {path.stat().st_size} bytes, greedy {tensors['greedy'].tolist()}")
        for key, values in tensors.items():
            if key.endswith("losses") or key.endswith("norms") or key.endswith("loss"):
                print(f"  {key} {[round(v, 5) for v in values.tolist()]}")


if __name__ == "__main__":
    main()
