"""Pictures of a report for the documents: screenshots.py REPORT.html FOLDER

Writes report.png (the top of the page) and report-network.png (the figures along the network), 1200 pixels wide.
"""

import base64
import io
import pathlib
import sys

from PIL import Image

from browser import start

# First and last element of each picture.
PICTURES = {"report": ("header", "#curve figure"), "report-network": ("#sensitivity", "#firing")}
WIDTH, MARGIN = 1200, 24


def main():
    report, folder = (pathlib.Path(p) for p in sys.argv[1:])
    driver = start()
    try:
        driver.get(report.resolve().as_uri())
        driver.execute_script("document.getElementById('filter-bar').style.position = 'static'")
        edge = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return box[arguments[1]] + window.scrollY"
        for name, (first, last) in PICTURES.items():
            top = max(0, driver.execute_script(edge, first, "top") - MARGIN)
            bottom = driver.execute_script(edge, last, "bottom") + MARGIN
            clip = {"x": 0, "y": top, "width": WIDTH, "height": bottom - top, "scale": 1}
            shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip})
            picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
            picture.save(folder / f"{name}.png", optimize=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
