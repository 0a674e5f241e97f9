#!/usr/bin/env python3
"""Writes tests/golden/choice: a tiny model with its tokenizer, questions of public tasks' forms, and what
lm-evaluation-harness makes of them.

usage: make_choice_golden.py OUT_DIR      (needs torch, transformers, tokenizers and lm_eval; a CPU is enough)

The questions are made up. The harness' own templates, its reading of HellaSwag and its `loglikelihood` under transformers say
what is asked and how likely each answer is; `expected.json` holds that for each file, and how many examples stood before.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import lm_eval
import tokenizers
import torch
import transformers
import yaml
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks.hellaswag.utils import process_docs
from lm_eval.utils import apply_template

TASKS = pathlib.Path(lm_eval.__file__).parent / "tasks"
WORDS = "the a cat dog runs sleeps sees red blue big small water bread house tree why what who is of in and to one two three".split()
SUBJECTS = ["college_physics", "world_religions"]


def text_of(random, least, most):
    return " ".join(WORDS[i] for i in torch.randint(0, len(WORDS), (int(torch.randint(least, most, (1,), generator=random)),),
                                                    generator=random))


def questions(random):
    def choices(count=4):
        return [text_of(random, 1, 5) for _ in range(count)]

    def number(count=4):
        return int(torch.randint(0, count, (1,), generator=random))

    own = [{"query": text_of(random, 3, 8) + " ", "choices": choices(3), "gold": number(3)} for _ in range(4)]
    hellaswag = [{"ind": i, "activity_label": "Baking bread", "ctx_a": "[header] How [title] " + text_of(random, 3, 8) + ".",
                  "ctx_b": text_of(random, 1, 3), "ctx": "", "endings": [c + " [step]." for c in choices()], "label": str(number()),
                  "split": "val", "source_id": ""} for i in range(5)]
    arc = [{"id": str(i), "question": text_of(random, 3, 9) + "?", "choices": {"text": choices(), "label": list("ABCD")},
            "answerKey": "ABCD"[number()]} for i in range(5)]
    mmlu = [{"question": " " + text_of(random, 3, 9) + "?\n", "choices": choices(), "subject": SUBJECTS[i % 2],
             "answer": number() if i < 6 else "ABCD"[number()]} for i in range(10)]
    return {"own": own, "hellaswag": hellaswag, "arc": arc, "mmlu_dev": mmlu[:4], "mmlu": mmlu[4:]}


class Documents(list):
    """What the harness' reading of HellaSwag asks of a data set."""

    def map(self, function):
        return [function(doc) for doc in self]


def template(path):
    return yaml.load((TASKS / path).read_text().replace("!function", ""), yaml.SafeLoader)


def pairs_of_mmlu(doc, dev):
    task = template("mmlu/default/_default_template_yaml")
    letters = task["doc_to_choice"]

    def answer(example):
        return example["answer"] if isinstance(example["answer"], str) else letters[example["answer"]]

    about = template(f"mmlu/default/mmlu_{doc['subject']}.yaml")["description"]
    examples = [d for d in dev if d["subject"] == doc["subject"]][:2]
    context = about + "".join(apply_template(task["doc_to_text"], d) + " " + answer(d) + "\n\n" for d in examples)
    return [(context + apply_template(task["doc_to_text"], doc), " " + letter) for letter in letters]


def pairs(files):
    arc = template("arc/arc_easy.yaml")
    yield "own", 0, [[(d["query"], " " + c) for c in d["choices"]] for d in files["own"]]
    made = process_docs(Documents(files["hellaswag"]))
    yield "hellaswag", 0, [[(d["query"], " " + c) for c in d["choices"]] for d in made]
    yield "arc", 0, [[(apply_template(arc["doc_to_text"], d), " " + c) for c in d["choices"]["text"]] for d in files["arc"]]
    yield "mmlu", 2, [pairs_of_mmlu(d, files["mmlu_dev"]) for d in files["mmlu"]]


def model_and_tokenizer(files, directory):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=320, special_tokens=["<|end|>"],
                                             initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([json.dumps(d) for docs in files.values() for d in docs], trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    fast.save_pretrained(directory)
    config = transformers.LlamaConfig(vocab_size=len(fast), hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
                                      max_position_embeddings=512, tie_word_embeddings=True, initializer_range=0.3, bos_token_id=0,
                                      eos_token_id=0)
    model = transformers.LlamaForCausalLM(config).to(torch.float16)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    return transformers.LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32).eval(), fast


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.manual_seed(11)
    torch.set_num_threads(1)
    directory = pathlib.Path(sys.argv[1]) / "choice"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    files = questions(torch.Generator().manual_seed(5))
    for name, docs in files.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs))
    model, tokenizer = model_and_tokenizer(files, directory)
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, add_bos_token=False)
    expected = {}
    for name, few_shot, of_docs in pairs(files):
        asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(p for doc in of_docs for p in doc)]
        values = iter([value for value, _ in harness.loglikelihood(asked, disable_tqdm=True)])
        sums = [[round(next(values), 4) for _ in doc] for doc in of_docs]
        for row in sums:
            best = sorted(row)[-2:]
            assert best[1] - best[0] > 1e-2, "choose another seed: two answers are as likely"
        expected[name] = {"few_shot": few_shot, "log_likelihoods": sums}
    (directory / "expected.json").write_text(json.dumps(expected) + "\n")
    print({path.name: path.stat().st_size for path in sorted(directory.iterdir())})


if __name__ == "__main__":
    main()
