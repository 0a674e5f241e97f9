#!/usr/bin/env python3
"""Compares vkgpt with transformers, both ways, on models with random weights.

usage: hf.py VKGPT [WORK_DIR]      (needs torch, transformers, tokenizers and safetensors; a CPU is enough)

Every directory that transformers saves is read by vkgpt: the logits must agree to 1e-4 and the greedy tokens must be
the same. Every checkpoint that vkgpt trains is read by AutoModelForCausalLM and AutoTokenizer: the same again, and
the same tokens for a text. Exits with 1 if anything differs.
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# tokenizers.py beside this file is not the package.
sys.path = [path for path in sys.path if pathlib.Path(path or ".").resolve() != pathlib.Path(__file__).resolve().parent]

import safetensors.torch
import tokenizers
import torch
import transformers

TOLERANCE = 1e-4
GREEDY = 16
TEXT = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs!\n" * 40
SMALL = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
             max_position_embeddings=48)
ROPE = {"rope_type": "default", "rope_theta": 1000.0}
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 1000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 30}
# name: class, configuration, dtype in which it is saved, size of shards
FOREIGN = {
    "gpt2": ("GPT2", dict(n_positions=48, n_embd=64, n_layer=3, n_head=4), "float32", None),
    "gpt2-untied-fp16": ("GPT2", dict(n_positions=48, n_embd=64, n_layer=3, n_head=4, tie_word_embeddings=False,
                                      n_inner=96, activation_function="gelu"), "float16", None),
    "gpt2-sharded": ("GPT2", dict(n_positions=48, n_embd=64, n_layer=3, n_head=4), "float32", "100KB"),
    "llama-gqa": ("Llama", dict(SMALL, num_key_value_heads=2, rope_parameters=ROPE), "float32", None),
    "llama-tied-bf16-sharded": ("Llama", dict(SMALL, num_key_value_heads=1, tie_word_embeddings=True), "bfloat16",
                                "50KB"),
    "llama-bias-fp16": ("Llama", dict(SMALL, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3), "float16", None),
    "llama-attention-bias": ("Llama", dict(SMALL, attention_bias=True), "float32", None),
    "llama-3.2": ("Llama", dict(SMALL, num_key_value_heads=2, head_dim=24, tie_word_embeddings=True,
                                rope_parameters=LLAMA3_ROPE), "bfloat16", None),
    "qwen2": ("Qwen2", dict(SMALL, num_key_value_heads=2, tie_word_embeddings=True), "bfloat16", None),
    "qwen3": ("Qwen3", dict(SMALL, num_key_value_heads=2, head_dim=32), "bfloat16", None),
    "qwen3-window": ("Qwen3", dict(SMALL, num_key_value_heads=4, head_dim=16, use_sliding_window=True,
                                   sliding_window=9, max_window_layers=0), "float32", None),
    "mistral": ("Mistral", dict(SMALL, num_key_value_heads=2, head_dim=16, sliding_window=11), "float32", None),
    "gemma3": ("Gemma3", dict(SMALL, num_key_value_heads=1, head_dim=256, sliding_window=9, sliding_window_pattern=2,
                              query_pre_attn_scalar=100, tie_word_embeddings=True), "bfloat16", None),
}
LLAMA_FLAGS = ["--norm", "rmsnorm", "--mlp", "swiglu", "--pos_encoding", "rope"]
OURS = {
    "gpt2": [],
    "gpt2-untied": ["--tie_weights", "false", "--mlp", "gelu_erf", "--n_inner", "48"],
    "gpt2-no-bias": ["--bias", "false"],
    "gpt2-lora": ["--lora_rank", "4"],
    "llama": [*LLAMA_FLAGS, "--bias", "false", "--n_kv_head", "1", "--rope_theta", "500"],
    "llama-bias-untied": [*LLAMA_FLAGS, "--tie_weights", "false"],
    "llama-3.2": [*LLAMA_FLAGS, "--bias", "false", "--rope_scaling", "llama3", "--rope_original_context", "20",
                  "--head_dim", "20"],
    "mistral": [*LLAMA_FLAGS, "--bias", "false", "--attention_window", "7"],
    "qwen3": [*LLAMA_FLAGS, "--bias", "false", "--qk_norm", "true", "--n_kv_head", "2"],
    "gemma3": ["--norm", "rmsnorm1p", "--mlp", "geglu", "--pos_encoding", "rope", "--bias", "false", "--qk_norm", "true",
               "--branch_norms", "true", "--embedding_scale", str(32**0.5), "--rope_layers", "lr", "--attention_window", "5",
               "--window_layers", "wf"],
    "qwen3-window": [*LLAMA_FLAGS, "--bias", "false", "--qk_norm", "true", "--attention_window", "5"],
}


class Vkgpt:
    def __init__(self, program):
        self.program = program

    def __call__(self, *args):
        done = subprocess.run([self.program, *map(str, args)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"vkgpt {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done.stdout

    def run(self, model, prompt, work):
        """The greedy tokens after `prompt` and the logits after each token of both."""
        out = self("generate", "--model", model, "--prompt_tokens", ",".join(map(str, prompt)), "--temperature", 0,
                   "--max_new_tokens", GREEDY, "--json", "--logits", work / "logits.safetensors")
        return json.loads(out)["tokens"][0], safetensors.torch.load_file(work / "logits.safetensors")["logits"]


def byte_level_tokenizer():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.train_from_iterator([TEXT], tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>",
                                                bos_token="<|endoftext|>")


def make_foreign(directory, kind, config, dtype, shards, tokenizer):
    config = getattr(transformers, kind + ("TextConfig" if kind == "Gemma3" else "Config"))(
        vocab_size=len(tokenizer) + 13, initializer_range=0.1, bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=None, **config)
    model = getattr(transformers, kind + ("LMHeadModel" if kind == "GPT2" else "ForCausalLM"))(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(directory, max_shard_size=shards or "1GB")
    tokenizer.save_pretrained(directory)


def theirs(directory, prompt, known):
    """What transformers computes: greedy tokens below `known`, and all logits."""
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32,
                                                              attn_implementation="eager").eval()
    tokens = list(prompt)
    with torch.no_grad():
        for _ in range(GREEDY):
            logits = model(torch.tensor([tokens])).logits[0]
            tokens.append(logits[-1, :known].argmax().item())
        return tokens[len(prompt):], model(torch.tensor([tokens])).logits[0]


def compare(vkgpt, model, reference, prompt, known, work):
    greedy, logits = vkgpt.run(model, prompt, work)
    their_greedy, their_logits = theirs(reference, prompt, known)
    error = (logits - their_logits[:len(logits)]).abs().max().item() if greedy == their_greedy else float("nan")
    return error, greedy == their_greedy


def check_foreign(vkgpt, work):
    tokenizer = byte_level_tokenizer()
    prompt = tokenizer("The quick brown")["input_ids"]
    for name, (kind, config, dtype, shards) in FOREIGN.items():
        source, imported = work / name, work / f"{name}-imported"
        make_foreign(source, kind, config, dtype, shards, tokenizer)
        print(vkgpt("import", source, "--out", imported).strip())
        for model, reference in itertools.product([source, imported], repeat=2):
            yield (f"{model.name} against {reference.name}",
                   *compare(vkgpt, model, reference, prompt, len(tokenizer), work))


def check_ours(vkgpt, work):
    (work / "text.txt").write_text(TEXT)
    for name, flags in OURS.items():
        run = work / f"run-{name}"
        start = []
        if name.endswith("-lora"):
            start = ["--init_from", work / "run-gpt2"]
        vkgpt("train", "--data_path", work / "text.txt", "--out_dir", run, "--n_layer", 2, "--n_head", 2, "--n_embd", 32,
              "--block_size", 40, "--batch_size", 4, "--max_steps", 20, "--sample_interval", 0, *flags, *start)
        checkpoint = max(run.glob("step-*"), key=lambda path: int(path.name.split("-")[1]))
        tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        tokens = tokenizer("The lazy fox!\n")["input_ids"]
        assert tokenizer.decode(tokens) == "The lazy fox!\n", tokenizer.decode(tokens)
        if name.endswith("-lora"):  # transformers needs PEFT for the adapters, but not for the merged model
            merged = work / f"{name}-merged"
            print(vkgpt("import", checkpoint, "--out", merged).strip())
            yield f"{name} merged", *compare(vkgpt, checkpoint, merged, tokens, len(tokenizer), work)
            continue
        yield f"checkpoint {name}", *compare(vkgpt, checkpoint, checkpoint, tokens, len(tokenizer), work)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    torch.manual_seed(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    vkgpt = Vkgpt(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else temporary)
        work.mkdir(parents=True, exist_ok=True)
        failures = 0
        for name, error, same_text in itertools.chain(check_foreign(vkgpt, work), check_ours(vkgpt, work)):
            good = error <= TOLERANCE and same_text
            failures += not good
            print(f"{'ok  ' if good else 'FAIL'} {name}: logits differ by {error:.2e}, greedy tokens "
                  f"{'equal' if same_text else 'differ'}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
