#!/usr/bin/env python3
"""The pages of assets/web in a real browser, before a server of canned answers: nothing need be built.

    apt-get install chromium chromium-driver python3-selenium
    tools/page_test.py [--only NAME...] [--shots FOLDER]

Checks what is hard to bring about with a real server: pages that are open together, a full or forbidden storage, a
conversation deleted while its reply comes, thinned series, new runs, large grids, a server that goes away.
`tools/browser_test.py` drives the pages of the program itself.
"""
import argparse
import http.server
import json
import mimetypes
import pathlib
import threading
import time
import urllib.parse

import browser_test
from browser_test import Browser, check, idle, say

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
        self.stream(self.reply())

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        which = int(urllib.parse.parse_qs(url.query).get("run", ["0"])[0])
        canned = self.canned
        canned.asked.append(self.path)
        if canned.is_gone:
            return self.answer(b"{}", status=503)
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


def conversation(name, changed=1, words="Hello"):
    return {"id": name, "title": name, "changed": changed, "messages": [{"role": "user", "content": words}]}


def put(browser, *conversations):
    """As versions with one list for all of them left it; the page takes it over when it is loaded."""
    browser.js("localStorage.clear(); localStorage.setItem('vkgpt.chat', JSON.stringify(arguments[0]))", conversations)


def titles(browser):
    return [each.get_attribute("textContent") for each in browser.all("#conversations .pick")]


def kept(browser):
    return browser.js("return Object.keys(localStorage).filter((key) => key.startsWith('vkgpt.chat'))"
                      ".flatMap((key) => JSON.parse(localStorage.getItem(key))).map((each) => each.title).sort()")


def ready(browser, address):
    browser.driver.get(address)
    browser.wait(lambda: "good" in browser.one("#state").get_attribute("class"), "the page finds the model")


def tabs(browser, address):
    """Two tabs of the page; the first is active."""
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    ready(browser, address)
    second = browser.driver.current_window_handle
    browser.driver.switch_to.window(first)
    return first, second


def delete(browser, title):
    browser.js("window.confirm = () => true")
    browser.js("document.querySelector(`[aria-label='Delete ${arguments[0]}']`).click()", title)


def list_of_before(browser, server, _):
    ready(browser, server.address)
    put(browser, conversation("newer", 2), conversation("older", 1))
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["newer", "older"], "conversations of earlier versions are there")
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["newer", "older"], "and stay")
    check(browser.js("return localStorage.getItem('vkgpt.chat')") is None, "each by a key of its own")


def two_tabs(browser, server, _):
    ready(browser, server.address)
    put(browser, conversation("shared"), conversation("doomed"))
    browser.driver.refresh()
    browser.wait(lambda: len(titles(browser)) == 2, "what was kept is shown")
    first, second = tabs(browser, server.address)
    browser.one("#new").click()
    say(browser, "from the first")
    browser.wait(lambda: len(browser.all(".message")) == 2 and idle(browser), "a reply in the first tab")
    browser.driver.switch_to.window(second)
    browser.wait(lambda: "from the first" in titles(browser), "the second tab shows what the first wrote", 5)
    browser.one("#new").click()
    say(browser, "from the second")
    browser.wait(lambda: len(browser.all(".message")) == 2 and idle(browser), "a reply in the second tab")
    delete(browser, "doomed")
    browser.driver.switch_to.window(first)
    expected = ["from the second", "from the first", "shared"]
    browser.wait(lambda: titles(browser) == expected, "the first tab shows it too, and no more what is deleted", 5)
    say(browser, "more")
    browser.wait(lambda: len(browser.all(".message")) == 4 and idle(browser), "the first tab goes on")
    browser.driver.refresh()
    browser.wait(lambda: sorted(titles(browser)) == sorted(expected), "both tabs' conversations are kept")
    browser.driver.switch_to.window(second)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def two_tabs_in_one(browser, server, _):
    ready(browser, server.address)
    put(browser, conversation("shared"))
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["shared"], "what was kept is shown")
    first, second = tabs(browser, server.address)
    server.canned.words, server.canned.pause = 40, 0.05
    say(browser, "slow")
    browser.driver.switch_to.window(second)
    browser.wait(lambda: "slow" in browser.one("#log").text, "the second tab follows a conversation that it shows", 5)
    server.canned.words, server.canned.pause = 3, 0
    say(browser, "quick")
    browser.wait(lambda: idle(browser), "a reply in the second tab")
    browser.driver.switch_to.window(first)
    browser.wait(lambda: idle(browser), "the slow reply ends")
    browser.driver.refresh()
    browser.wait(lambda: len(titles(browser)) == 2, "where both went on, both are kept")
    texts = browser.js("return Object.values(localStorage).join()")
    check("word-39" in texts and "quick" in texts, "with all that was said")
    browser.driver.switch_to.window(second)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def deleted_while_it_comes(browser, server, shots):
    ready(browser, server.address)
    put(browser, conversation("other"))
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["other"], "what was kept is shown")
    server.canned.words, server.canned.pause = 100, 0.05
    browser.one("#new").click()
    say(browser, "doomed")
    browser.wait(lambda: "word-1" in browser.one("#log").text, "a reply begins")
    check(kept(browser) == ["doomed", "other"], "it is kept while it comes")
    delete(browser, "doomed")
    browser.wait(lambda: browser.js("return document.getElementById('stop').hidden"), "deleting stops the reply", 2)
    time.sleep(0.2)
    check(titles(browser) == ["other"] and kept(browser) == ["other"], "deleted means deleted")
    say(browser, "still working")
    browser.wait(lambda: "word-1" in browser.one("#log").text, "another reply begins")
    _, second = tabs(browser, server.address)
    first = browser.driver.current_window_handle
    browser.driver.switch_to.window(second)
    delete(browser, "other")
    browser.driver.switch_to.window(first)
    browser.wait(lambda: browser.js("return document.getElementById('stop').hidden"), "another tab's deleting too", 3)
    time.sleep(0.2)
    check(kept(browser) == [], "it stays deleted")
    browser.driver.switch_to.window(second)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def left_while_it_comes(browser, server, _):
    ready(browser, server.address)
    put(browser)
    browser.driver.refresh()
    server.canned.words, server.canned.pause = 100, 0.05
    say(browser, "cut off")
    browser.wait(lambda: "word-5" in browser.one("#log").text, "a reply begins")
    browser.driver.refresh()
    browser.wait(lambda: "word-5" in browser.one("#log").text, "what had come is kept when the page is left")


FILL = """localStorage.removeItem('filler');
for (let size = 1 << 22, text = ''; size > 0; size >>= 1)
  try { localStorage.setItem('filler', text + 'x'.repeat(size)); text += 'x'.repeat(size); } catch {}"""


def full_storage(browser, server, shots):
    ready(browser, server.address)
    put(browser, conversation("large", words="y" * 50_000))
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["large"], "what was kept is shown")
    check(not browser.one("#full").is_displayed(), "nothing is said while there is room")
    browser.js(FILL)
    browser.one("#new").click()
    say(browser, "no room")
    browser.wait(lambda: len(browser.all(".message")) == 2 and idle(browser), "a reply all the same")
    check(browser.one("#full").is_displayed() and "keeps no more" in browser.one("#full").text, "a full storage is told")
    browser.shot(shots, "chat-full")
    delete(browser, "large")
    browser.wait(lambda: not browser.one("#full").is_displayed(), "no more once there is room")
    check(kept(browser) == ["no room"], "and then it is kept")
    put(browser, conversation("first", 2), conversation("second", 1))
    browser.js(FILL)
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["first", "second"], "an old list is shown where its keys find no room")
    check(browser.one("#full").is_displayed(), "which is told")
    delete(browser, "first")
    browser.js("localStorage.removeItem('filler')")
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["second"] == kept(browser), "what is deleted from it stays so")


def forbidden_storage(browser, server, _):
    script = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source":
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"})
    ready(browser, server.address)
    say(browser, "Hello")
    browser.wait(lambda: len(browser.all(".message")) == 2 and idle(browser), "a conversation without any storage")
    check(browser.one("#full").is_displayed(), "that nothing is kept is told")
    browser.one("#theme").click()
    check(browser.js("return document.documentElement.dataset.theme") == "light", "the theme changes all the same")
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


CHAT = [list_of_before, two_tabs, two_tabs_in_one, deleted_while_it_comes, left_while_it_comes, full_storage,
        forbidden_storage]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--shots", default="")
    arguments = parser.parse_args()
    if arguments.shots:
        pathlib.Path(arguments.shots).mkdir(parents=True, exist_ok=True)
    for page, tests in (("chat", CHAT),):
        for test in tests:
            if arguments.only and test.__name__ not in arguments.only:
                continue
            with Server(page) as server, Browser(1180, 800) as browser:
                test(browser, server, arguments.shots)
            print(f"  {test.__name__}")
    print(f"{browser_test.checked} checks hold")


if __name__ == "__main__":
    main()
