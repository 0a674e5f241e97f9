#!/usr/bin/env python3
"""Checks what `vkgpt export` writes against the tools that read it.

usage: gguf_files.py VKGPT [WORK_DIR]   (needs gguf, numpy, torch, transformers, tokenizers; xllamacpp is used where it is installed)

Models with random weights are saved by transformers, exported by vkgpt in every dtype, and read again: GGUF by the
gguf package (every tensor, Q8_0 bit for bit as its own quantization; every token and merge) and by llama.cpp (its
tokens of a prompt and its greedy continuation are vkgpt's), llm.c's .bin by its layout, directories by transformers.
Exits with 1 if anything differs.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.pop(0)  # this directory, whose tokenizers.py is not the package

import gguf
import numpy as np
import tokenizers
import torch
import transformers

try:
    import xllamacpp
except ImportError:
    xllamacpp = None

GREEDY = 24
TEXT = ("The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs!\n"
        "Grüße aus 1989, \t naïve 12345 façade... don't, WE'LL see;\r\n\r\n  日本語 and 😀 emoji 7x.\n") * 40
PROMPTS = ["The quick brown fox", "Pack 12345 jugs!\n\n  don't", "Grüße, 日本語 😀 WE'LL", "x = [1,\t2]  \n"]
GPT2_WORDS = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)


def regex_words(digits):
    regex = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + digits +
             r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    return tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Split(tokenizers.Regex(regex), "isolated"),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


SMALL = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
             max_position_embeddings=64)
# name: class, configuration, words, what llama.cpp calls those, its architecture
MODELS = {
    "gpt2": ("GPT2", dict(n_positions=64, n_embd=64, n_layer=3, n_head=4), GPT2_WORDS, "gpt-2", "gpt2"),
    "gpt2-untied": ("GPT2", dict(n_positions=64, n_embd=64, n_layer=2, n_head=2, n_inner=96, tie_word_embeddings=False),
                    GPT2_WORDS, "gpt-2", "gpt2"),
    "llama": ("Llama", dict(SMALL, num_key_value_heads=2, tie_word_embeddings=False), regex_words("{1,3}"), "dbrx",
              "llama"),
    "llama-bias": ("Llama", dict(SMALL, attention_bias=True, mlp_bias=True), GPT2_WORDS, "gpt-2", "llama"),
    "qwen2": ("Qwen2", dict(SMALL, num_key_value_heads=2), regex_words(""), "qwen2", "llama"),
    "qwen3": ("Qwen3", dict(SMALL, num_key_value_heads=2, head_dim=16), regex_words(""), "qwen2", "qwen3"),
    # SmolLM2-135M with 4 of its 30 layers
    "smollm2": ("Llama", dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=4, num_attention_heads=9,
                              num_key_value_heads=3, max_position_embeddings=256, tie_word_embeddings=True,
                              rope_parameters={"rope_type": "default", "rope_theta": 100000.0}),
                tokenizers.pre_tokenizers.Sequence([tokenizers.pre_tokenizers.Digits(individual_digits=True),
                                                    GPT2_WORDS]), "smollm", "llama"),
}
# Trained by vkgpt on characters: combinations that only llama.cpp has beside it.
CHARACTER_MODELS = {
    "characters": ["--bias", "false", "--n_kv_head", "1", "--n_inner", "48"],
    "characters-llama": ["--norm", "rmsnorm", "--mlp", "swiglu", "--pos_encoding", "rope", "--tie_weights", "false"],
}
BLOCK_NAMES = {  # of transformers, and of GGUF
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down", "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
NAMES = {"transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
         "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
DTYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
          "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}


def vkgpt(program, *args):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"vkgpt {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def make_tokenizer(words):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.train_from_iterator([TEXT], tokenizers.trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|endoftext|>", "<|im_start|>"], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>",
                                                bos_token="<|endoftext|>")


def make_model(directory, kind, config, tokenizer):
    config = getattr(transformers, kind + "Config")(vocab_size=len(tokenizer) + 5, initializer_range=0.1, **config)
    model = getattr(transformers, kind + ("LMHeadModel" if kind == "GPT2" else "ForCausalLM"))(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
        if kind == "Qwen2":  # its output projection has no bias
            assert model.model.layers[0].self_attn.o_proj.bias is None
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return model


def expected_tensors(model, architecture):
    """name: array, as llama.cpp's converter has them, before rounding."""
    config = model.config
    tensors = {}
    for name, parameter in model.state_dict().items():
        module, word = name.rsplit(".", 1)
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = parameter.float().numpy()
        if module.endswith((".c_attn", ".c_proj", ".c_fc")) and word == "weight":
            array = array.T
        if architecture == "llama" and module.endswith((".q_proj", ".k_proj")):
            heads = config.num_attention_heads if module.endswith(".q_proj") else config.num_key_value_heads
            shape = array.shape
            array = array.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
        if module in NAMES:
            tensors[f"{NAMES[module]}.{word}"] = np.ascontiguousarray(array)
            continue
        layer, block_module = module.split(".", 3)[2:]
        tensors[f"blk.{layer}.{BLOCK_NAMES[block_module]}.{word}"] = np.ascontiguousarray(array)
    return tensors


def check_tensors(reader, expected, dtype):
    found = {tensor.name: tensor for tensor in reader.tensors}
    for name in set(found) - set(expected):  # biases that our layout has and this class lacks
        assert name.endswith(".bias") and not np.any(found[name].data), f"{name} should not be there"
    for name, array in expected.items():
        tensor = found[name]
        is_matrix = array.ndim == 2 and name != "position_embd.weight"
        wanted = DTYPES[dtype] if is_matrix else gguf.GGMLQuantizationType.F32
        if wanted == gguf.GGMLQuantizationType.Q8_0 and array.shape[1] % 32 != 0:
            wanted = gguf.GGMLQuantizationType.F16
        assert tensor.tensor_type == wanted, f"{name}: {tensor.tensor_type.name}"
        assert tuple(reversed(tensor.shape.tolist())) == array.shape, f"{name}: {tensor.shape}"
        stored = gguf.quants.quantize(array, wanted)
        assert np.array_equal(tensor.data.view(np.uint8).ravel(), stored.view(np.uint8).ravel()), f"{name} differs"


def check_vocabulary(reader, tokenizer, words, rows):
    def value(key):
        return reader.get_field("tokenizer.ggml." + key).contents()

    vocabulary = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    by_id = {token: text for text, token in tokenizer.get_vocab().items()}
    expected = [by_id.get(token, f"[PAD{token}]") for token in range(rows)]
    assert value("tokens") == expected, "tokens"
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in vocabulary["merges"]]
    assert value("merges") == merges, "merges"
    special = {token for token in by_id if by_id[token] in ("<|endoftext|>", "<|im_start|>")}
    types = [3 if token in special else 1 if token in by_id else 5 for token in range(rows)]
    assert value("token_type") == types, "token types"
    assert value("model") == "gpt2" and value("pre") == words, value("pre")
    assert value("eos_token_id") == tokenizer.eos_token_id and value("add_bos_token") is False


def start_llama_cpp(path):
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 64
    params.n_parallel = 1
    params.warmup = False
    params.fit_params = False
    params.cpuparams.n_threads = 2
    params.port = 0
    return xllamacpp.Server(params)


def ask(server, route, request):
    body = urllib.request.Request(server.listening_address + route, json.dumps(request).encode(),
                                  {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(body))


def complete(server, ids, ignore_eos=True):
    return ask(server, "/completion", {"prompt": ids, "n_predict": GREEDY, "temperature": 0, "top_k": 1,
                                       "return_tokens": True, "cache_prompt": False, "ignore_eos": ignore_eos})["tokens"]


def check_llama_cpp(program, source, path, encode, prompts, end_of_text):
    """llama.cpp's tokens of the prompts and its greedy continuation are vkgpt's."""
    server = start_llama_cpp(path)
    for prompt in prompts:
        ids = encode(prompt)
        theirs = ask(server, "/tokenize", {"content": prompt})["tokens"]
        assert theirs == ids, f"tokens of {prompt!r}: {theirs} instead of {ids}"
        # Where vkgpt knows no end of text, llama.cpp must not generate the one that it was given.
        continuation = complete(server, ids, ignore_eos=end_of_text is not None)
        ours = json.loads(vkgpt(program, "generate", "--model", source, "--prompt_tokens", ",".join(map(str, ids)),
                                "--temperature", 0, "--max_new_tokens", GREEDY, "--json"))["tokens"][0]
        end = ours.index(end_of_text) if end_of_text in ours else len(ours)
        assert continuation[:end] == ours[:end], f"{prompt!r}: {continuation} instead of {ours}"


def check_gguf(program, name, source, model, tokenizer, words, architecture, work):
    expected = expected_tensors(model, architecture)
    for dtype in DTYPES:
        path = work / f"{name}-{dtype}.gguf"
        print(vkgpt(program, "export", "--model", source, "--format", "gguf", "--dtype", dtype, "--out", path).strip())
        reader = gguf.GGUFReader(path)
        assert reader.get_field("general.architecture").contents() == architecture
        check_tensors(reader, expected, dtype)
        check_vocabulary(reader, tokenizer, words, model.config.vocab_size)
        if xllamacpp is None:
            continue
        if dtype == "f32":
            check_llama_cpp(program, source, path, lambda text: tokenizer(text)["input_ids"], PROMPTS,
                            tokenizer.eos_token_id)
        else:
            assert len(complete(start_llama_cpp(path), tokenizer(PROMPTS[0])["input_ids"])) == GREEDY


def check_characters(program, name, flags, work):
    text = "".join(character for character in TEXT if ord(character) < 128)
    (work / "ascii.txt").write_text(text, newline="")
    vkgpt(program, "train", "--data_path", work / "ascii.txt", "--out_dir", work / name, "--n_layer", 2, "--n_head", 2,
          "--n_embd", 32, "--block_size", 64, "--batch_size", 4, "--max_steps", 60, "--sample_interval", 0, *flags)
    characters = sorted(set(text))
    path = work / f"{name}.gguf"
    print(vkgpt(program, "export", "--model", work / name, "--format", "gguf", "--out", path).strip())
    tokens = gguf.GGUFReader(path).get_field("tokenizer.ggml.tokens").contents()
    assert tokens[-1] == "<|endoftext|>" and len(tokens) == len(characters) + 1
    if xllamacpp is not None:
        check_llama_cpp(program, work / name, path, lambda text: [characters.index(character) for character in text],
                        ["The quick brown", "dogs!\nPack"], None)


def check_hf(program, name, source, model, work):
    for dtype in ("f32", "f16", "bf16"):
        out = work / f"{name}-hf-{dtype}"
        vkgpt(program, "export", "--model", source, "--format", "hf", "--dtype", dtype, "--out", out)
        loaded = transformers.AutoModelForCausalLM.from_pretrained(out, dtype="auto")
        torch_dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]
        state = model.state_dict()
        for key, parameter in loaded.state_dict().items():
            assert parameter.dtype == torch_dtype, f"{key}: {parameter.dtype}"
            wanted = state[key].to(torch_dtype) if key in state else torch.zeros_like(parameter)
            assert torch.equal(parameter, wanted), f"{key} differs in {dtype}"
        transformers.AutoTokenizer.from_pretrained(out)


def check_llmc(program, name, source, model, work):
    """llm.c's layout, read as its train_gpt2.c does."""
    config = model.config
    V, T, C, L = config.vocab_size, config.n_positions, config.n_embd, config.n_layer
    padded = (V + 127) // 128 * 128
    state = {key: parameter.numpy() for key, parameter in model.state_dict().items()}
    blocks = ["ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight",
              "attn.c_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight",
              "mlp.c_proj.bias"]
    wte = np.zeros((padded, C), np.float32)
    wte[:V] = state["transformer.wte.weight"]
    parts = [wte, state["transformer.wpe.weight"]]
    for block in blocks:
        for layer in range(L):
            array = state[f"transformer.h.{layer}.{block}"]
            parts.append(array.T if array.ndim == 2 else array)
    parts += [state["transformer.ln_f.weight"], state["transformer.ln_f.bias"]]
    numbers = torch.from_numpy(np.concatenate([part.ravel() for part in parts]))
    for dtype, version, wanted in (("f32", 3, numbers), ("bf16", 5, numbers.to(torch.bfloat16).view(torch.int16))):
        path = work / f"{name}-{dtype}.bin"
        vkgpt(program, "export", "--model", source, "--format", "llmc", "--dtype", dtype, "--out", path)
        data = path.read_bytes()
        header = np.frombuffer(data, np.int32, 256)
        assert header[:8].tolist() == [20240326, version, T, V, L, config.n_head, C, padded], header[:8]
        assert data[1024:] == wanted.numpy().tobytes(), f"{path}: numbers"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = sys.argv[1]
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
        work.mkdir(parents=True, exist_ok=True)
        for name, (kind, config, pre_tokenizer, words, architecture) in MODELS.items():
            tokenizer = make_tokenizer(pre_tokenizer)
            model = make_model(work / name, kind, config, tokenizer)
            check_gguf(program, name, work / name, model, tokenizer, words, architecture, work)
            check_hf(program, name, work / name, model, work)
            if name == "gpt2":
                check_llmc(program, name, work / name, model, work)
        for name, flags in CHARACTER_MODELS.items():
            check_characters(program, name, flags, work)
    print("all equal" + ("" if xllamacpp is not None else "; xllamacpp is not installed: llama.cpp itself did not run"))


if __name__ == "__main__":
    main()
