#!/usr/bin/env python3
"""Treats `vkgpt serve` badly and times it; standard library only.

    tools/interop/serve_campaign.py build/vkgpt --model runs/shakespeare [--device llvmpipe] [--part NAME...]

Parts: throughput (tokens a second of 1, 2, 4, 8 and 16 requests at once), disconnects (1,000 clients that leave at random
points: all slots free, memory flat), slow (500 clients that hardly send or read, and one that is served), health
(/health during long prefills, under 50 ms), kill (kill -9 and restart: clients see an error, the port is free again).
"""
import argparse
import concurrent.futures
import http.client
import json
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time


class Server:
    def __init__(self, program, flags):
        self.command = [program, "serve", *flags]
        self.start(0)

    def start(self, port):
        self.process = subprocess.Popen([*self.command, "--port", str(port)], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"http://127.0.0.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        sys.exit("the server did not start")

    def stop(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            sys.exit("FAILED: the server did not end well")

    def ask(self, method, path, body=None, timeout=300):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def text(self, **wish):
        status, body = self.ask("POST", "/v1/completions", wish)
        if status != 200:
            sys.exit(f"FAILED: status {status}: {body}")
        return json.loads(body)

    def metric(self, name):
        return float(re.search(rf"^vkgpt_{name} (\S+)$", self.ask("GET", "/metrics")[1], re.MULTILINE)[1])

    def memory(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def wait_until_idle(self, seconds=60):
        deadline = time.monotonic() + seconds
        while self.metric("texts_running") + self.metric("texts_waiting") > 0:
            if time.monotonic() > deadline:
                sys.exit("FAILED: slots stay taken")
            time.sleep(0.05)


def throughput(server, tokens):
    wish = {"prompt": "The quick brown fox ", "max_tokens": tokens, "temperature": 1.0}
    for count in (1, 2, 4, 8, 16):
        server.text(**{**wish, "n": count, "max_tokens": 4})  # recorded
    rates = {}
    for count in (1, 2, 4, 8, 16):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            start = time.monotonic()
            drawn = sum(reply["usage"]["completion_tokens"]
                        for reply in pool.map(lambda seed: server.text(**wish, seed=seed), range(count)))
            rates[count] = drawn / (time.monotonic() - start)
        print(f"  {count:2} at once: {rates[count]:8.1f} tokens/s, {rates[count] / rates[1]:.2f} of one")


def disconnects(server, count):
    draw = random.Random(5)

    def leave(number):
        body = json.dumps({"prompt": "The " * draw.randint(1, 20), "max_tokens": 60, "stream": number % 2 == 0})
        request = (f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(request[: draw.randint(1, len(request))] if number % 5 == 0 else request)
            client.settimeout(draw.random() * 0.2 + 0.001)
            try:
                client.recv(draw.randint(1, 2000))
            except TimeoutError:
                pass
            if number % 3 == 0:  # a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    for part in range(4):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(leave, range(part * count // 4, (part + 1) * count // 4)))
        server.wait_until_idle()
        print(f"  after {(part + 1) * count // 4} clients: {server.memory():.1f} MiB, "
              f"{server.metric('http_connections') - 1:.0f} connections, all slots free")


def slow(server):
    clients = []
    for number in range(500):
        client = socket.create_connection(("127.0.0.1", server.port))
        if number % 2:
            client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        else:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.sendall(b"GET /vendor/markdown-it.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        clients.append(client)
    start = time.monotonic()
    server.text(prompt="The ", max_tokens=8)
    print(f"  with {len(clients)} slow clients another one's 8 tokens take {time.monotonic() - start:.2f} s")
    for client in clients:
        client.close()


def health(server):
    length = json.loads(server.ask("GET", "/v1/models")[1])["data"][0]["context_length"]
    prompt = [number % 200 for number in range(length - 8)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(server.text, prompt=prompt[number:], max_tokens=4) for number in range(4)]
        times = []
        while not all(each.done() for each in running):
            start = time.monotonic()
            status, _ = server.ask("GET", "/health")
            times.append(1e3 * (time.monotonic() - start))
            if status != 200:
                sys.exit("FAILED: not healthy")
            time.sleep(0.01)
    times.sort()
    print(f"  {len(times)} times /health while prompts of {length - 8} tokens ran: median {times[len(times) // 2]:.1f} ms, "
          f"largest {times[-1]:.1f} ms")
    if times[-1] > 50:
        sys.exit("FAILED: slower than 50 ms")


def kill(server):
    for round_number in range(5):
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        client.request("POST", "/v1/completions", json.dumps({"prompt": "The ", "max_tokens": 200, "stream": True}),
                       {"Content-Type": "application/json"})
        answer = client.getresponse()
        answer.read(10)
        server.process.kill()
        server.process.wait()
        try:
            body = answer.read()
            if b"[DONE]" in body:
                sys.exit("FAILED: the client took the reply for a whole one")
        except (http.client.HTTPException, OSError):
            pass
        server.start(server.port)
        server.text(prompt="The ", max_tokens=2)
    print(f"  killed {round_number + 1} times in the middle of a reply: clients see an error, the same port serves again")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="")
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--part", nargs="*", default=["throughput", "disconnects", "slow", "health", "kill"])
    arguments = parser.parse_args()
    flags = ["--model", arguments.model, "--slots", "16", "--dtype", arguments.dtype]
    if arguments.device:
        flags += ["--device", arguments.device]
    server = Server(arguments.program, flags)
    parts = {"throughput": lambda: throughput(server, arguments.tokens),
             "disconnects": lambda: disconnects(server, arguments.clients),
             "slow": lambda: slow(server), "health": lambda: health(server), "kill": lambda: kill(server)}
    for name in arguments.part:
        print(name)
        parts[name]()
    server.stop()


if __name__ == "__main__":
    main()
