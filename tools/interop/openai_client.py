#!/usr/bin/env python3
"""Talks to `vkgpt serve` with OpenAI's own clients: Python's, and with --npm also that of npm.

    python3 -m venv venv && venv/bin/pip install openai==2.9.0
    venv/bin/python tools/interop/openai_client.py build/vkgpt --model runs/shakespeare [--npm FOLDER] [--device llvmpipe]

FOLDER is one where `npm install openai@7.57.0` was run. Checks: whole replies and streams of chats and texts, usage,
finish reasons, stop, seed, n, log-probabilities, models, every kind of error as the client's own exception, parallel
requests with the same texts as alone, and that a stream that is closed frees its slot.
"""
import argparse
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

import openai

checked = 0


def check(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"FAILED: {what}")


class Server:
    """`vkgpt serve` on a free port, for as long as the block lasts."""

    def __init__(self, program, *flags):
        self.process = subprocess.Popen([program, "serve", "--port", "0", *flags], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"http://[^;\s]+:\d+", line)
            if found:
                self.address = found[0]
                return
        sys.exit("the server did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(60)
        check(code == 0, f"the server ends with {code} after SIGTERM")

    def metric(self, name):
        text = urllib.request.urlopen(urllib.request.Request(
            self.address + "/metrics", headers={"Authorization": "Bearer key"})).read().decode()
        return float(re.search(rf"^vkgpt_{name} (\S+)$", text, re.MULTILINE)[1])


MESSAGES = [{"role": "system", "content": "Speak."}, {"role": "user", "content": "Who goes there?"}]


def chats(client, model):
    wish = {"model": model, "messages": MESSAGES, "seed": 7, "max_tokens": 24}
    whole = client.chat.completions.create(**wish)
    choice = whole.choices[0]
    check(choice.message.role == "assistant" and choice.message.content, "a reply")
    check(choice.finish_reason in ("stop", "length"), "a finish reason")
    check(whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens, "usage adds up")
    check(client.chat.completions.create(**wish).choices == whole.choices, "the same seed, the same reply")
    text, reasons, usage = "", [], None
    for chunk in client.chat.completions.create(**wish, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for each in chunk.choices:
            text += each.delta.content or ""
            reasons.append(each.finish_reason)
    check(text == choice.message.content, "a stream is the reply in pieces")
    check(reasons[-1] == choice.finish_reason and not any(reasons[:-1]), "the finish reason comes last")
    check(usage == whole.usage, "usage at the end of the stream")
    several = client.chat.completions.create(**{**wish, "n": 3, "temperature": 1.5})
    check([each.index for each in several.choices] == [0, 1, 2], "n choices")
    check(len({each.message.content for each in several.choices}) > 1, "which differ")
    greedy = {**wish, "temperature": 0, "max_tokens": 12}
    likely = client.chat.completions.create(**greedy, logprobs=True, top_logprobs=5)
    content = likely.choices[0].logprobs.content
    check(len(content) > 0 and all(len(each.top_logprobs) == 5 for each in content), "five likeliest tokens each")
    check(all(each.token == each.top_logprobs[0].token for each in content), "greedily the likeliest is taken")
    check(all(each.logprob <= 1e-6 for each in content), "log-probabilities")
    check(bytes(sum((each.bytes for each in content), [])).decode(errors="replace").startswith(
        likely.choices[0].message.content[:1]), "bytes of tokens")


def texts(client, model):
    wish = {"model": model, "prompt": "the ", "seed": 3, "max_tokens": 40, "temperature": 1}
    text = client.completions.create(**wish).choices[0].text
    stop = text[20:22]
    cut = client.completions.create(**wish, stop=[stop]).choices[0]
    check(cut.text == text[:text.index(stop)] and cut.finish_reason == "stop", "stops")
    check("".join(chunk.choices[0].text for chunk in client.completions.create(**wish, stream=True)) == text, "a stream")
    both = client.completions.create(**{**wish, "prompt": ["the ", "and "], "logprobs": 2})
    check(len(both.choices) == 2 and both.choices[0].text == text, "two prompts")
    check(all(len(top) == 2 for top in both.choices[0].logprobs.top_logprobs), "two likeliest tokens each")


def refusals(server, client, model):
    def refused(kind, client=client, **wish):
        try:
            client.chat.completions.create(**{"model": model, "messages": MESSAGES, **wish})
        except kind as error:
            return error
        sys.exit(f"FAILED: no {kind.__name__} for {wish}")

    check(refused(openai.BadRequestError, temperature=7).param == "temperature", "a temperature of 7")
    check(refused(openai.BadRequestError, n=100).param == "n", "a hundred choices")
    check(refused(openai.BadRequestError, messages=[]).param == "messages", "no messages")
    check(refused(openai.BadRequestError, tools=[{"type": "function", "function": {"name": "f"}}]).param == "tools", "tools")
    check(refused(openai.BadRequestError, max_tokens=1 << 24).code == "context_length_exceeded", "a long reply")
    check(refused(openai.NotFoundError, model="gpt-4o").code == "model_not_found", "another model")
    stranger = openai.OpenAI(base_url=server.address + "/v1", api_key="wrong", max_retries=0)
    check(refused(openai.AuthenticationError, client=stranger).code == "invalid_api_key", "a wrong key")


def together(server, client, model):
    wishes = [{"model": model, "prompt": "abcdefgh"[: 1 + i % 8], "seed": i, "max_tokens": 8 + 3 * i, "temperature": 1.2}
              for i in range(16)]

    def text(wish):
        return client.completions.create(**wish).choices[0].text

    alone = [text(wish) for wish in wishes]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        check(list(pool.map(text, wishes)) == alone, "sixteen at once, the same texts as alone")
    stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    next(iter(stream))
    stream.close()
    deadline = time.monotonic() + 5
    while server.metric("texts_running") > 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    check(server.metric("texts_running") == 0, "a closed stream frees its slot")


NPM = """
import OpenAI from "openai";
const [address, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: address + "/v1", apiKey: "key", maxRetries: 0 });
const wish = { model, messages: JSON.parse(process.argv[4]), seed: 7, max_tokens: 24 };
const whole = await client.chat.completions.create(wish);
let text = "", usage = null;
for await (const chunk of await client.chat.completions.create({ ...wish, stream: true, stream_options: { include_usage: true } })) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
let code = "", status = 0;
try { await client.chat.completions.create({ ...wish, temperature: 9 }); } catch (error) { code = error.param; status = error.status; }
const models = [];
for await (const each of client.models.list()) models.push(each.id);
const several = await Promise.all(Array.from({ length: 8 }, (_, seed) => client.completions.create({ model, prompt: "the ", seed, max_tokens: 9, logprobs: 1 })));
const { body } = await client.chat.completions.create({ ...wish, stream: true, max_tokens: 20 }).then((stream) => { stream.controller.abort(); return { body: "aborted" }; });
console.log(JSON.stringify({ content: whole.choices[0].message.content, text, usage, whole: whole.usage, code, status, models,
  texts: several.map((each) => each.choices[0].text), body }));
"""


def npm(server, folder, client, model):
    script = pathlib.Path(folder) / "vkgpt_conformance.mjs"
    script.write_text(NPM)
    out = subprocess.run(["node", script, server.address, model, json.dumps(MESSAGES)], capture_output=True, text=True,
                         check=False)
    check(out.returncode == 0, f"npm's client: {out.stderr[-800:]}")
    told = json.loads(out.stdout)
    check(told["content"] == told["text"] and told["content"], "npm: a stream is the reply in pieces")
    check(told["usage"] == told["whole"], "npm: usage")
    check(told["code"] == "temperature" and told["status"] == 400, "npm: an error")
    check(told["models"] == [model], "npm: models")
    alone = [client.completions.create(model=model, prompt="the ", seed=seed, max_tokens=9).choices[0].text
             for seed in range(8)]
    check(told["texts"] == alone, "npm: eight at once, the same texts as Python's client got one by one")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", required=True)
    parser.add_argument("--npm")
    parser.add_argument("--device", default="")
    parser.add_argument("--dtype", default="f32")
    arguments = parser.parse_args()
    flags = ["--model", arguments.model, "--slots", "16", "--api_key", "key", "--dtype", arguments.dtype]
    if arguments.device:
        flags += ["--device", arguments.device]
    with Server(arguments.program, *flags) as server:
        client = openai.OpenAI(base_url=server.address + "/v1", api_key="key", max_retries=0)
        model = client.models.list().data[0].id
        check(client.models.retrieve(model).id == model, "the model by its name")
        chats(client, model)
        texts(client, model)
        refusals(server, client, model)
        together(server, client, model)
        print(f"openai {openai.__version__} of Python: {checked} checks hold")
        if arguments.npm:
            before = checked
            npm(server, arguments.npm, client, model)
            version = json.loads((pathlib.Path(arguments.npm) / "node_modules/openai/package.json").read_text())["version"]
            print(f"openai {version} of npm: {checked - before} checks hold")


if __name__ == "__main__":
    main()
