"""Reads a report in a headless Chromium and prints a TAP line a check.

browser.py REPORT.html TRIALS.json RUN-NAME

TRIALS.json is `qsvit query RUN --columns all --format json` of the report's first run, RUN-NAME what it has to
be called. Ends with status 0 where all checks were made, whatever came of them.
"""

import json
import math
import pathlib
import shutil
import sys
import time

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service

MOST_ROWS = 200  # of the page's table of trials, until the rest is asked for


def check(name, good, detail=""):
    print("ok" if good else "not ok", "-", name)
    if not good:
        print("#", str(detail)[:600])


def start():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "disable-background-networking"):
        options.add_argument("--" + flag)
    options.add_argument("--window-size=1200,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
    # Nothing may come from anywhere else.
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["http://*", "https://*"]})
    return driver


def minus(value, digits):
    return f"{value:.{digits}f}".replace("-", "−")


class Page:
    def __init__(self, driver, path):
        self.driver = driver
        driver.get(path.resolve().as_uri())

    def texts(self, selector):
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def count(self, selector):
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def until(self, good, seconds=20):
        """What follows an event comes when the browser has time for it."""
        end = time.monotonic() + seconds
        while not good() and time.monotonic() < end:
            time.sleep(0.05)
        return good()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def tip(self):
        box = self.find("#tip")
        if not box.is_displayed():
            return {}
        return dict(zip(self.texts("#tip dt"), self.texts("#tip dd")))

    def filter(self, words):
        field = self.find("#filter")
        field.clear()
        field.send_keys(words or " ")


def points(page):
    """Positions of the curve's points by what they say of themselves."""
    return page.driver.find_elements(By.CSS_SELECTOR, "#curve .plot svg .points path")


def check_numbers(page, trials):
    rows = page.run(
        """return [...document.querySelectorAll('#trials tbody tr')].map(
            (row) => [...row.children].map((cell) => cell.textContent))"""
    )
    check("every trial has a row, as many as are shown at once", len(rows) == min(MOST_ROWS, len(trials)), f"{len(rows)} of {len(trials)}")
    wrong = []
    for row, t in zip(rows, trials):
        drop = "–" if t["top1_drop"] is None else f"{minus(t['top1_drop'], 2)} [{minus(t['drop_low'], 2)}, {minus(t['drop_high'], 2)}]"
        expected = [t["trial"], t["step"], minus(t["avg_bits"], 2), f"{t['model_bytes']:,}", minus(t["model_saved"], 1), drop]
        if row[:6] != expected:
            wrong.append((row[:6], expected))
    check("rows say what qsvit query says", not wrong, wrong[:2])
    selected = next(t for t in trials if t["selected"])
    words = page.find("#words").text
    for what, text in {
        "trial": f"trial {selected['trial']}",
        "bits": f"{minus(selected['avg_bits'], 2)} bits a weight",
        "drop": f"{minus(selected['top1_drop'], 2)} points below f32",
        "bytes": f"{selected['model_bytes']:,} bytes",
        "images": f"{selected['n_images']:,} {'judging' if selected['images'] == 'judge' else 'deciding'} images",
        "energy": f"{minus(selected['energy_saved'], 1)} % less",
    }.items():
        check(f"the words have the selected one's {what}", text in words, f"{text} in {words}")


def check_hover(page, trials):
    measured = {t["trial"]: t for t in trials if t["top1_drop"] is not None}
    marks = points(page)
    expected = len(measured) + page.others
    check("the curve has every measured trial", len(marks) == expected, f"{len(marks)} of {expected}")
    # The last one is drawn on top of all others: the selected trial.
    selected = next(t for t in trials if t["selected"])
    label = f"trial {selected['trial']}"
    mark = next(m for m in reversed(marks) if (m.get_attribute("aria-label") or "").startswith(label))
    ActionChains(page.driver).move_to_element(mark).perform()
    tip = page.tip()
    check("hovering shows the trial", tip.get("trial") == selected["trial"], tip)
    check("its bits", tip.get("bits a weight") == minus(selected["avg_bits"], 2), tip)
    check("its bytes", f"{selected['model_bytes']:,} bytes" in tip.get("model", ""), tip)
    interval = f"[{minus(selected['drop_low'], 2)}, {minus(selected['drop_high'], 2)}]"
    check("its drop with interval", tip.get("top-1 drop") == f"{minus(selected['top1_drop'], 2)} points {interval}", tip)
    check("its step and what", tip.get("step") == selected["step"] and tip.get("what") == selected["description"], tip)
    ActionChains(page.driver).move_to_element(page.find("h1")).perform()
    check("and goes away", page.tip() == {}, page.tip())


def check_keys(page, trials):
    plot = page.find("#curve .plot")
    page.run("arguments[0].focus()", plot)
    plot.send_keys(Keys.ARROW_RIGHT)
    first = page.tip()
    check("an arrow key goes to the selected trial", first.get("trial") == next(t["trial"] for t in trials if t["selected"]), first)
    plot.send_keys(Keys.ARROW_RIGHT)
    second = page.tip()
    check("the next one to another", second != {} and second != first, second)
    check("it is spoken", second["trial"] in page.run("return document.getElementById('spoken').textContent"))
    page.find("h1").click()


def check_zoom(page):
    ticks = lambda: page.texts("#curve .plot svg .role-axis-label text")
    before, shown = ticks(), len(points(page))
    plot = page.find("#curve .plot")
    page.run("arguments[0].scrollIntoView({block: 'center'})", plot)
    box = page.run("return document.querySelector('#curve .plot svg .background').getBoundingClientRect().toJSON()")
    drag = ActionChains(page.driver).move_to_element(plot)
    drag.move_by_offset(int(-box["width"] / 4), -80).click_and_hold().move_by_offset(int(box["width"] / 2), 160).release().perform()
    check("a drag shows an area closer", ticks() != before and len(points(page)) < shown, (before, ticks(), len(points(page)), shown))
    page.driver.find_elements(By.CSS_SELECTOR, "#curve .controls button")[1].click()
    check("and there is a way back", ticks() == before and len(points(page)) == shown)


def check_filter(page, trials):
    step = next(t["step"] for t in trials if t["selected"])
    wanted = [t for t in trials if step.lower() in " ".join([t["trial"], t["step"], t["description"], t["formats"]]).lower()]
    page.filter(step)
    check("the filter narrows the trials", page.count("#trials tbody tr") == len(wanted), f"{page.count('#trials tbody tr')} of {len(wanted)}")
    check("and the curve", len([t for t in wanted if t["top1_drop"] is not None]) <= len(points(page)) < len(trials) + page.others, len(points(page)))
    check("and says so", page.find("#filter-count").text.startswith(f"{len(wanted)} of {len(trials)} trials"), page.find("#filter-count").text)
    page.driver.refresh()
    check("and is there when the page loads itself again", page.count("#trials tbody tr") == len(wanted), page.count("#trials tbody tr"))
    page.filter("no such words anywhere")
    check("what matches nothing leaves nothing", page.count("#trials tbody tr") == 0 and page.count("#steps tbody tr") == 0)
    page.filter("")
    check("and all comes back", page.count("#trials tbody tr") == min(MOST_ROWS, len(trials)))


def check_figures(page):
    for name in ("curve", "sensitivity", "bits", "costs", "firing", "forwards"):
        box = page.run("const s = document.querySelector(`#${arguments[0]} .plot svg`); return s && s.getBoundingClientRect().toJSON()", name)
        check(f"figure {name} is drawn", box is not None and box["width"] > 300 and box["height"] > 40, box)
        page.find(f"#{name} summary").click()
        check(f"figure {name} as a table", page.until(lambda: page.count(f"#{name} details table tbody tr") > 0))
    check("no element came of layers' names in figures and tables", page.count("main img, main image") == 0)
    check("but text did", "<img src=x" in page.find("#sensitivity details").text)
    overlong = page.run("return document.documentElement.scrollWidth > window.innerWidth")
    check("nothing sticks out sideways", not overlong)
    layers = page.run("return JSON.parse(document.getElementById('qsvit-data').textContent).runs[0].layers.length")
    check("a row a layer", page.count("#bits details tbody tr") == layers)


def check_drawing(page):
    """A figure's geometry against the numbers it shows: bits by layer are as wide as their weights."""
    layers = page.run("return JSON.parse(document.getElementById('qsvit-data').textContent).runs[0].layers.map((l) => l.n_weights)")
    widths = page.run("return [...document.querySelectorAll('#bits .plot svg .bars path')].map((p) => p.getBBox().width)")
    total, drawn = sum(layers), sum(widths)
    check(
        "layers are as wide as their weights",
        len(widths) == len(layers) and all(math.isclose(w / drawn, n / total, abs_tol=2e-3) for w, n in zip(widths, layers)),
        list(zip(widths, layers))[:4],
    )


def check_choice(page, trials):
    other = next(t for t in trials if not t["selected"] and not t["baseline"])
    row = next(b for b in page.driver.find_elements(By.CSS_SELECTOR, "#trials button.id") if b.text == other["trial"])
    page.run("arguments[0].click()", row)
    check("a trial's own bits are shown", other["trial"] in page.find("#bits h2").text)


def check_dark_and_print(page):
    ink = lambda: page.run("return getComputedStyle(document.documentElement).color")
    label = lambda: page.run("return document.querySelector('#curve .plot svg .role-axis-title text').getAttribute('fill')")
    light, light_label = ink(), label()
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    check("dark mode has other colours", ink() != light and label() != light_label, (light, light_label))
    page.driver.set_page_load_timeout(120)
    pdf = page.driver.print_page()
    check("it prints", len(pdf) > 20000, len(pdf))
    check("and is dark again after that", label() != light_label)


def check_safety(page, name):
    check("the title is the run's name as text", page.find("h1").text.split(", ")[0] == name, page.find("h1").text)
    check("no element came of it", page.count("main img, h1 *, #meta img") == 0)
    loaded = page.run("return performance.getEntriesByType('resource').map((r) => r.name)")
    check("nothing is loaded", loaded == [], loaded)


def main():
    path, listed, name = sys.argv[1:]
    trials = json.loads(pathlib.Path(listed).read_text())
    driver = start()
    try:
        page = Page(driver, pathlib.Path(path))
        page.others = page.run(
            """return JSON.parse(document.getElementById('qsvit-data').textContent).runs.slice(1)
                .reduce((sum, run) => sum + run.trials.filter((t) => t.top1_drop !== null).length, 0)"""
        )
        check("the page is ready", page.run("return document.documentElement.dataset.ready") == "yes", driver.get_log("browser"))
        check_safety(page, name)
        check_numbers(page, trials)
        check_hover(page, trials)
        check_keys(page, trials)
        check_zoom(page)
        check_filter(page, trials)
        check_figures(page)
        check_drawing(page)
        check_choice(page, trials)
        check_dark_and_print(page)
        log = driver.get_log("browser")
        check("the console is silent", log == [], log)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
