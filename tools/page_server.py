"""Serves a page of assets/web with canned answers in place of the program's, for `page_test.py`."""
import http.server
import json
import mimetypes
import pathlib
import threading
import time
import urllib.parse

WEB = pathlib.Path(__file__).resolve().parent.parent / "assets/web"


class Canned:
    """What the server answers; tests change it while it runs."""

    def __init__(self):
        self.words = 3  # of a reply
        self.pause = 0.0  # seconds between them
        self.runs = []
        self.series = {}  # by the run's path
        self.grids = {}
        self.events = []  # told to those who listen, once
        self.delays = {}  # seconds, by path
        self.is_gone = False
        self.asked = []


class Handler(http.server.BaseHTTPRequestHandler):
    canned = Canned()
    page = "chat"

    def log_message(self, *_):
        pass

    def answer(self, body, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the page was left

    def stream(self, parts):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for part in parts:
                self.wfile.write(part.encode())
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def events(self):
        told = len(self.canned.events)
        yield "retry: 100\n\n: here\n\n"
        while not self.canned.is_gone:
            for event in self.canned.events[told:]:
                yield f"data: {json.dumps(event)}\n\n"
                told += 1
            time.sleep(0.02)
            yield ": still here\n\n"

    def reply(self):
        words, pause = self.canned.words, self.canned.pause
        for word in range(words):
            time.sleep(pause)
            yield "data: " + json.dumps({"choices": [{"delta": {"content": f"word-{word} "}}]}) + "\n\n"
        yield "data: " + json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + "\n\ndata: [DONE]\n\n"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.canned.is_gone:
            self.stream(self.reply())

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        which = int(urllib.parse.parse_qs(url.query).get("run", ["0"])[0])
        canned = self.canned
        canned.asked.append(self.path)
        if canned.is_gone:
            return None  # as a server that is not there: no answer
        run = canned.runs[which]["path"] if which < len(canned.runs) else ""
        time.sleep(canned.delays.get((url.path, which), 0))
        answers = {
            "/v1/models": {"data": [{"id": "canned", "context_length": 256}]},
            "/runs": {"runs": canned.runs},
            "/series": {"run": which, "series": canned.series.get(run, {})},
            "/grids": canned.grids.get(run, {}),
            "/samples": [],
        }
        if url.path in answers:
            return self.answer(json.dumps(answers[url.path]).encode())
        if url.path == "/events":
            return self.stream(self.events())
        file = WEB / (f"{self.page}.html" if url.path == "/" else url.path[1:])
        if not file.is_file():
            return self.answer(b"", status=404)
        return self.answer(file.read_bytes(), mimetypes.guess_type(file.name)[0])


class Server:
    def __init__(self, page):
        self.canned = Canned()
        handler = type("Page", (Handler,), {"canned": self.canned, "page": page})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.canned.is_gone = True
        self.http.shutdown()
