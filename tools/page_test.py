#!/usr/bin/env python3
"""The pages of assets/web in a real browser, before a server of canned answers: nothing need be built.

    apt-get install chromium chromium-driver python3-selenium
    tools/page_test.py [--only NAME...] [--shots FOLDER]

Checks what is hard to bring about with a real server: pages that are open together, a full or forbidden storage, a
conversation deleted while its reply comes, thinned series, new runs, large grids, a server that goes away.
`tools/browser_test.py` drives the pages of the program itself.
"""
import argparse
import pathlib
import time

import browser_test
from browser_test import Browser, check, idle, say
from page_server import Server


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
    first, second = tabs(browser, server.address)
    browser.driver.switch_to.window(second)
    delete(browser, "other")
    browser.driver.switch_to.window(first)
    browser.wait(lambda: browser.js("return document.getElementById('stop').hidden"), "another tab's deleting too", 3)
    time.sleep(0.2)
    check(kept(browser) == [], "it stays deleted")
    browser.driver.switch_to.window(second)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def two_tabs_of_which_one_is_deaf(browser, server, _):
    """As one that slept, or whose events are late."""
    ready(browser, server.address)
    put(browser, conversation("shared", 2), conversation("doomed", 1))
    browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
        "source": "addEventListener('storage', (event) => event.stopImmediatePropagation(), true)"})
    browser.driver.refresh()
    browser.wait(lambda: titles(browser) == ["shared", "doomed"], "what was kept is shown")
    first, second = tabs(browser, server.address)
    browser.driver.switch_to.window(second)
    say(browser, "heard by nobody")
    browser.wait(lambda: len(browser.all(".message")) == 3 and idle(browser), "a reply in the second tab")
    delete(browser, "doomed")
    browser.driver.switch_to.window(first)
    check(len(browser.all(".message")) == 1 and len(titles(browser)) == 2, "the first tab knows nothing of it")
    say(browser, "said to one that knows nothing")
    browser.wait(lambda: len(browser.all(".message")) == 3 and idle(browser), "a reply in the first tab")
    texts = browser.js("return Object.values(localStorage).join()")
    check("heard by nobody" in texts and "knows nothing" in texts, "what both tabs said is kept")
    browser.all("#conversations .pick")[-1].click()
    server.canned.words, server.canned.pause = 3, 0.2
    say(browser, "to one that is deleted")
    browser.wait(lambda: browser.js("return document.getElementById('stop').hidden"), "there is nothing to say there", 3)
    check(kept(browser) == ["shared", "shared"], "deleted means deleted")
    browser.js("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    check(titles(browser) == ["shared", "shared"], "a page that slept looks at what there is")
    browser.driver.switch_to.window(second)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def left_while_it_comes(browser, server, _):
    ready(browser, server.address)
    put(browser)
    ready(browser, server.address)
    server.canned.words, server.canned.pause = 100, 0.05
    say(browser, "cut off")
    browser.wait(lambda: "word-5" in browser.one("#log").text, "a reply begins")
    browser.driver.refresh()
    browser.wait(lambda: "word-5" in browser.one("#log").text, "what had come is kept when the page is left")


def written_anew_in_vain(browser, server, _):
    ready(browser, server.address)
    put(browser)
    ready(browser, server.address)
    say(browser, "Hello")
    browser.wait(lambda: len(browser.all(".message")) == 2 and idle(browser), "a reply")
    server.canned.is_gone = True
    browser.one(".message.assistant [aria-label='Write this reply anew']").click()
    browser.wait(lambda: idle(browser) and browser.all(".problem"), "what went wrong is told")
    check("word-2" in browser.one(".message.assistant .body").text, "the reply that was there stays")


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


def series(values, steps=None):
    return {"steps": steps or list(range(1, len(values) + 1)), "values": values}


def runs(server, count):
    canned = server.canned
    for number in range(len(canned.runs), count):
        canned.runs = canned.runs + [{"name": f"run-{number}", "path": f"/runs/run-{number}", "settings": {"seed": str(number)}}]
        canned.series[f"/runs/run-{number}"] = {"loss": series([3.0 - number / 10, 2.0 - number / 10])}


def grid(name, rows, columns):
    values = [1 + column for column in range(columns)]
    return {"gradients": {"steps": list(range(columns)),
                          "rows": [{"name": f"{name}.{row}", "values": values} for row in range(rows)]}}


def last_losses(browser):
    return [each.text for each in browser.all("#runs .last")]


def shown(browser):
    return browser.js("return [...document.querySelectorAll('#runs input')].map((box) => box.checked)")


def line(browser, axis, series_of_run):
    """Where the dashboard draws the points of the loss."""
    return browser.driver.execute_async_script("""
        const [axis, series, done] = arguments;
        import('./runs.js').then(({ Runs }) => done(new Runs(() => {}, () => {}).line({ series }, 'loss', axis).x))""",
                                               axis, series_of_run)


def time_axis(browser, server, _):
    browser.driver.get(server.address)
    # 10,000 steps of 0.2 s, each hundredth of 4.2 s: 2,400 s. Of each stretch the server sends least and largest.
    steps = [step for begin in range(0, 10_000, 100) for step in (begin + 1, begin + 100)]
    seconds = series([0.2 if at % 2 == 0 else 4.2 for at in range(200)], steps)
    rate = series([5000.0 if at % 2 == 0 else 1000 / 4.2 for at in range(200)], steps)
    known = {"loss": series([2.0, 1.5, 1.0], [100, 5000, 10_000]), "step_seconds": seconds, "tokens_per_second": rate}
    elapsed = series([0.2 * (step - step // 100) + 4.2 * (step // 100) for step in steps], steps)
    places = line(browser, "time", {**known, "elapsed_seconds": elapsed})
    check(all(abs(place - expected) < 1 for place, expected in zip(places, (24, 1200, 2400))), f"time of all points: {places}")
    check(line(browser, "time", known)[-1] > 2400, "the sum of what is known without it")
    places = line(browser, "tokens", known)
    check(abs(places[-1] / 10_000_000 - 1) < 1e-3, f"tokens: {places}")
    apart = {**known, "tokens_per_second": series([5000.0] * 2 + [1000 / 4.2], [1, 101, 10_000])}
    places = line(browser, "tokens", apart)
    check(abs(places[-1] / 10_000_000 - 1) < 1e-3, f"tokens by series that were thinned apart: {places}")


def new_runs(browser, server, _):
    runs(server, 2)
    browser.driver.get(server.address)
    browser.wait(lambda: last_losses(browser) == ["2.000", "1.900"], "two runs with their losses")
    browser.all("#runs input")[1].click()
    check(shown(browser) == [True, False], "one is chosen")
    runs(server, 3)
    server.canned.events.append({"runs": True})
    browser.wait(lambda: last_losses(browser) == ["2.000", "1.900", "1.800"], "a new run is shown", 3)
    check(shown(browser) == [True, False, True], "with the choice as it was")
    server.canned.events.append({"run": 2, "added": {"loss": series([0.5], [3])}})
    browser.wait(lambda: last_losses(browser)[2] == "0.500", "and followed", 3)
    browser.check_it_stayed_here()


def server_comes_back(browser, server, _):
    runs(server, 2)
    browser.driver.get(server.address)
    browser.wait(lambda: last_losses(browser) == ["2.000", "1.900"], "two runs with their losses")
    browser.all("#runs input")[0].click()
    server.canned.is_gone = True
    browser.wait(lambda: "gone" in browser.one("#state").text, "a server that went away", 5)
    server.canned.series["/runs/run-1"] = {"loss": series([3.0, 2.0, 0.25])}
    server.canned.is_gone = False
    browser.wait(lambda: browser.one("#state").text == "live", "a server that is there again", 10)
    browser.wait(lambda: last_losses(browser) == ["2.000", "0.250"], "with what was missed", 5)
    check(shown(browser) == [False, True], "with the choice as it was")


def added_while_fetched(browser, server, _):
    runs(server, 1)
    server.canned.delays[("/series", 0)] = 1
    browser.driver.get(server.address)
    browser.wait(lambda: any(path.startswith("/series") for path in server.canned.asked), "curves are asked for")
    time.sleep(0.3)
    server.canned.events.append({"run": 0, "added": {"loss": series([0.5], [3])}})
    browser.wait(lambda: last_losses(browser) == ["0.500"], "what is added while curves are fetched is not lost", 4)


def large_grid(browser, server, shots):
    runs(server, 1)
    server.canned.grids["/runs/run-0"] = grid("layer", 400, 400)
    browser.driver.get(server.address)
    browser.one("#tab-tensors").click()
    browser.wait(lambda: browser.all("#tensors canvas"), "a heat map of 160,000 values")
    check("400 tensors, steps 0 to 399; norms from 1.0 to 4.0e+2" in browser.one("#tensors .hint").text, "with its range")
    browser.shot(shots, "dashboard-large-grid")


def views_in_turn(browser, server, _):
    runs(server, 2)
    for number in range(2):
        server.canned.grids[f"/runs/run-{number}"] = grid(f"of-{number}", 3, 4)
    browser.driver.get(server.address)
    browser.wait(lambda: last_losses(browser) == ["2.000", "1.900"], "two runs with their losses")
    browser.one("#tab-tensors").click()
    browser.wait(lambda: "of-0.0" in browser.one("#tensors").text, "tensors of the first run")
    server.canned.delays[("/grids", 0)] = 1
    browser.js("""const pick = (value) => { const select = document.querySelector('#tensors select');
        select.value = value; select.dispatchEvent(new Event('change')); };
        pick(0); pick(1);""")
    browser.wait(lambda: "of-1.0" in browser.one("#tensors").text, "tensors of the second run")
    time.sleep(1.5)
    check("of-1.0" in browser.one("#tensors").text, "they stay, though the first's come later")
    server.canned.grids["/runs/run-1"] = grid("again", 3, 4)
    server.canned.events.append({"run": 1, "grids": True})
    browser.wait(lambda: "again.0" in browser.one("#tensors").text, "the run that was picked is followed", 3)
    server.canned.grids["/runs/run-1"] = {"gradients": 3}
    server.canned.events.append({"run": 1, "grids": True})
    browser.wait(lambda: "cannot be shown" in browser.one("#tensors").text, "what cannot be shown is told", 3)


def series_that_ends(browser, server, _):
    runs(server, 1)
    server.canned.series["/runs/run-0"]["val_loss"] = series([2.5, 1.5])
    browser.driver.get(server.address)
    browser.wait(lambda: len(browser.all(".panel:not([hidden])")) == 2, "two curves")
    del server.canned.series["/runs/run-0"]["val_loss"]
    server.canned.events.append({"run": 0, "reload": True})
    browser.wait(lambda: len(browser.all(".panel:not([hidden])")) == 1, "a curve that a run has no more goes", 3)


CHAT = [list_of_before, two_tabs, two_tabs_in_one, two_tabs_of_which_one_is_deaf, deleted_while_it_comes,
        left_while_it_comes, written_anew_in_vain, full_storage, forbidden_storage]
DASHBOARD = [time_axis, new_runs, server_comes_back, added_while_fetched, large_grid, views_in_turn, series_that_ends]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--shots", default="")
    arguments = parser.parse_args()
    if arguments.shots:
        pathlib.Path(arguments.shots).mkdir(parents=True, exist_ok=True)
    for page, tests in (("chat", CHAT), ("dashboard", DASHBOARD)):
        for test in tests:
            if arguments.only and test.__name__ not in arguments.only:
                continue
            with Server(page) as server, Browser(1180, 800) as browser:
                test(browser, server, arguments.shots)
            print(f"  {test.__name__}")
    print(f"{browser_test.checked} checks hold")


if __name__ == "__main__":
    main()
