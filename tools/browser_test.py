#!/usr/bin/env python3
"""The chat page and the dashboard in a real browser, without a network: Debian's chromium, headless.

    apt-get install chromium chromium-driver python3-selenium
    tools/browser_test.py build/vkgpt --model runs/shakespeare [--runs RUN...] [--device llvmpipe] [--shots FOLDER]

The model has a context of at least 256 tokens. Checks a conversation, stop, regenerate, edit, reload, several
conversations, that markup in a reply stays text, the settings, keyboard and a width of 360 pixels; that the dashboard
shows a new point within 2 s and that 250 runs of 10,000 points are usable within 3 s; and that neither page asks any
other machine. Takes screenshots.
"""
import argparse
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

checked = 0


def check(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"FAILED: {what}")


class Program:
    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"http://127.0.0.1:\d+", line)
            if found:
                self.address = found[0]
                return
        sys.exit(f"{command[1]} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)


class Browser:
    def __init__(self, width, height, is_dark=False):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},{height}",
                     "--force-device-scale-factor=1", "--disable-gpu"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, what, seconds=30):
        def holds():
            try:
                return condition()
            except (NoSuchElementException, StaleElementReferenceException):  # the page is just being changed
                return False

        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                sys.exit(f"FAILED: {what} within {seconds} s")
            time.sleep(0.02)
        return seconds - (deadline - time.monotonic())

    def check_it_stayed_here(self):
        asked = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"])
        outside = [url for url in asked if not re.match(r"http://127\.0\.0\.1:|data:|blob:|chrome", url)]
        check(asked and not outside, f"no request leaves the machine: {outside}")
        problems = [entry["message"] for entry in self.driver.get_log("browser")
                    if entry["level"] == "SEVERE" and "401" not in entry["message"]]
        check(not problems, f"no errors in the page: {problems}")

    def shot(self, folder, name):
        if folder:
            self.driver.save_screenshot(str(pathlib.Path(folder) / f"{name}.png"))


MARKUP = {"id": "x", "title": "Markup", "changed": 1, "messages": [
    {"role": "user", "content": "<b>Show</b> me **markup** <img src=x onerror='window.broken=1'>"},
    {"role": "assistant", "content": "<img src=x onerror='window.broken=1'> <script>window.broken=1</script>\n\n"
     "![picture](http://example.com/x.png) [bad](javascript:window.broken=1) [good](https://example.com)\n\n"
     "# Title\n\nSome **bold** words and `code`.\n\n```c\nint main(void) { return 0; }\n```\n\n"
     "| a | b |\n|:--|--:|\n| 1 | 2 |\n\n> quoted\n\n1. one\n2. two", "rate": "42 tokens, 18.3 a second"}]}


def idle(browser):
    return not browser.all(".message.running")


def say(browser, words):
    browser.one("#words").send_keys(words, Keys.ENTER)


def replies(browser):
    return [each.text for each in browser.all(".message.assistant .body")]


def chat(browser, address, shots):
    browser.driver.get(address)
    browser.wait(lambda: "good" in browser.one("#state").get_attribute("class"), "the page finds the model")
    browser.shot(shots, "chat-empty")
    say(browser, "Who goes there?")
    for _ in range(100):  # a reply may be over before the key is pressed
        browser.one("#words").send_keys(Keys.ESCAPE)
        browser.wait(lambda: idle(browser), "Escape stops")
        if "Stopped" in browser.one(".message.assistant").text:
            break
        browser.one(".message.assistant [aria-label='Write this reply anew']").click()
    check("Stopped" in browser.one(".message.assistant").text, "it says that it was stopped")
    browser.js("localStorage.setItem('vkgpt.settings', JSON.stringify({max_tokens: 40, seed: 3}))")
    browser.driver.refresh()
    browser.wait(lambda: len(browser.all(".message")) == 2, "a reload keeps the conversation")
    browser.one(".message.assistant [aria-label='Write this reply anew']").click()
    browser.wait(lambda: idle(browser) and "a second" in browser.one(".message.assistant .rate").text,
                 "a reply is written anew")
    first = replies(browser)[0]
    check(len(first) > 0, "there are words")
    browser.one(".message.assistant [aria-label='Write this reply anew']").click()
    browser.wait(lambda: idle(browser) and replies(browser)[:1] == [first], "the same seed gives the same reply")
    say(browser, "And then?")
    browser.wait(lambda: len(browser.all(".message")) == 4 and idle(browser), "a second turn")
    browser.one(".message.user [aria-label='Edit and send again']").click()
    field = browser.one(".edit textarea")
    field.clear()
    field.send_keys("Stay!", Keys.ENTER)
    browser.wait(lambda: len(browser.all(".message")) == 2 and idle(browser), "an edit begins again from there")
    check("Stay!" in browser.one(".message.user").text, "with the new words")
    browser.one("#new").click()
    check(len(browser.all("#conversations li")) == 2 and not browser.all(".message"), "another conversation")
    browser.all("#conversations .pick")[-1].click()
    browser.wait(lambda: len(browser.all(".message")) == 2, "back to the first")
    browser.js("localStorage.clear(); localStorage.setItem('vkgpt.chat', JSON.stringify([arguments[0]]))", MARKUP)
    browser.driver.refresh()
    browser.wait(lambda: len(browser.all(".message")) == 2, "an imported conversation")
    body = browser.one(".message.assistant .body")
    time.sleep(0.3)
    check(browser.js("return window.broken") is None, "markup of a reply does nothing")
    check("onerror" in body.text and "<script>" in body.text, "it stays text")
    check(not body.find_elements(By.CSS_SELECTOR, "img, script"), "nothing is loaded by it")
    links = [each.get_attribute("href") for each in body.find_elements(By.TAG_NAME, "a")]
    check("https://example.com/" in links and not any("javascript" in link for link in links), f"links: {links}")
    check(body.find_elements(By.CSS_SELECTOR, "h1") and body.find_elements(By.CSS_SELECTOR, "td.right"), "Markdown is shown")
    browser.shot(shots, "chat")
    browser.one("#open-settings").click()
    browser.shot(shots, "chat-settings")
    browser.js("document.getElementById('settings').close()")
    browser.check_it_stayed_here()


def by_keyboard(browser, address):
    browser.driver.get(address)
    browser.wait(lambda: "good" in browser.one("#state").get_attribute("class"), "the page finds the model")
    names = set()
    for _ in range(16):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        names.add(browser.js("const e = document.activeElement; return e.id || e.getAttribute('aria-label') || e.tagName"))
    check({"send", "new", "export", "theme", "open-settings"} <= names, f"everything is reached by Tab: {names}")


def narrow(browser, address, shots, name, conversation=None):
    browser.driver.get(address)
    if conversation:
        browser.js("localStorage.setItem('vkgpt.chat', JSON.stringify([arguments[0]]))", conversation)
        browser.driver.refresh()
        browser.wait(lambda: len(browser.all(".message")) == len(conversation["messages"]), "the conversation is shown")
        browser.js("document.querySelector('.model strong').textContent = 'A-model-with-a-long-name-135M-Instruct.Q4_1.gguf'")
    time.sleep(1)
    width = browser.js("return document.documentElement.scrollWidth")
    check(width <= 360, f"{name} fits 360 pixels: {width}")
    browser.shot(shots, f"{name}-360")


def write_run(folder, number, points):
    draw = random.Random(number)
    folder.mkdir(parents=True)
    (folder / "effective_config.json").write_text(json.dumps({"learning_rate": 0.001 * (1 + number % 7), "n_layer": 2 + number % 3}))
    level = 2 + draw.random()
    with open(folder / "metrics.jsonl", "w") as log:
        for step in range(1, points + 1):
            loss = level + 8 * math.exp(-step / (points / 12)) + draw.gauss(0, 0.08)
            log.write(f'{{"step":{step},"loss":{loss:.5f},"learning_rate":{1e-3 * (1 - step / points):.3e},'
                      f'"grad_norm":{abs(draw.gauss(1, 0.2)):.4f},"step_seconds":0.1,"tokens_per_second":{20000 + draw.gauss(0, 500):.1f}}}\n')


def dashboard(browser, program, root, shots):
    for number in range(3):
        write_run(root / f"few/run-{number}", number, 400)
    with Program(program, "dashboard", root / "few", "--port", 0) as server:
        browser.driver.get(server.address)
        browser.wait(lambda: len(browser.all(".panel:not([hidden]) canvas")) >= 3, "curves are there")
        time.sleep(0.5)
        browser.shot(shots, "dashboard")
        before = browser.all("#runs .last")[0].text
        with open(root / "few/run-0/metrics.jsonl", "a") as log:
            log.write('{"step":401,"val_loss":0.777}\n')
        took = browser.wait(lambda: browser.all("#runs .last")[0].text not in ("", before), "a new point is shown", 2)
        print(f"  a new point is shown after {took:.2f} s")
        for tab in ("settings", "samples", "tensors", "machine", "curves"):
            browser.one(f"#tab-{tab}").click()
            browser.wait(lambda: browser.one(f"#{tab}").is_displayed(), f"the view of {tab}", 3)  # what it shows is fetched
        browser.one("#tab-settings").click()
        check("learning_rate" in browser.one("#settings").text, "settings that differ")
        browser.one("#tab-curves").click()
        for choice in ("tokens", "time", "step"):
            browser.js("const x = document.getElementById('x'); x.value = arguments[0]; x.dispatchEvent(new Event('input'))", choice)
        for box in ("log-x", "log-y"):
            browser.one(f"#{box}").click()
        time.sleep(0.3)
        browser.check_it_stayed_here()


def many_runs(browser, program, root):
    for number in range(250):
        write_run(root / f"many/run-{number:03}", number, 10_000)
    with Program(program, "dashboard", root / "many", "--port", 0) as server:
        start = time.monotonic()
        browser.driver.get(server.address)
        browser.wait(lambda: browser.js("return document.querySelectorAll('#runs li').length") == 250, "250 runs are listed", 3)
        browser.wait(lambda: browser.all(".panel:not([hidden]) canvas"), "curves begin", 3)
        print(f"  250 runs of 10,000 points: usable after {time.monotonic() - start:.2f} s", end="")
        browser.wait(lambda: browser.js("return [...document.querySelectorAll('#runs .last')].every((e) => e.textContent)"),
                     "all curves are there", 60)
        print(f", all curves after {time.monotonic() - start:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", required=True)
    parser.add_argument("--runs", nargs="*", default=[])
    parser.add_argument("--device", default="")
    parser.add_argument("--shots", default="")
    parser.add_argument("--part", nargs="*", default=["chat", "dashboard", "many"])
    arguments = parser.parse_args()
    if arguments.shots:
        pathlib.Path(arguments.shots).mkdir(parents=True, exist_ok=True)
    flags = ["--device", arguments.device] if arguments.device else []
    with tempfile.TemporaryDirectory() as root:
        if "chat" in arguments.part:
            with Program(arguments.program, "serve", "--model", arguments.model, "--port", 0, *flags) as server:
                with Browser(1180, 800) as browser:
                    chat(browser, server.address, arguments.shots)
                    by_keyboard(browser, server.address)
                with Browser(1180, 800, is_dark=True) as browser:
                    chat(browser, server.address, arguments.shots and arguments.shots + "/dark")
                with Browser(360, 740) as browser:
                    narrow(browser, server.address, arguments.shots, "chat", MARKUP)
        if "dashboard" in arguments.part:
            with Browser(1280, 860) as browser:
                dashboard(browser, arguments.program, pathlib.Path(root), arguments.shots)
        if "many" in arguments.part:
            with Browser(1280, 860) as browser:
                many_runs(browser, arguments.program, pathlib.Path(root))
        if arguments.runs:
            with Program(arguments.program, "dashboard", *arguments.runs, "--port", 0) as server:
                for name, is_dark, width in (("light", False, 1280), ("dark", True, 1280), ("narrow", False, 360)):
                    with Browser(width, 860, is_dark) as browser:
                        if width == 360:
                            narrow(browser, server.address, arguments.shots, "dashboard")
                            continue
                        browser.driver.get(server.address)
                        time.sleep(2)
                        browser.shot(arguments.shots, f"dashboard-{name}")
                        for tab in ("samples", "tensors", "machine"):
                            browser.one(f"#tab-{tab}").click()
                            time.sleep(1)
                            browser.shot(arguments.shots, f"dashboard-{tab}-{name}")
    print(f"{checked} checks hold")


if __name__ == "__main__":
    main()
