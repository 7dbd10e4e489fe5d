"""Pictures of the page at `/` for docs/page/, in a real browser, and what axe-core finds in each view.

    jobfeed simulate … && jobfeed run daily …
    python -m tests.benchmarks.page_screenshots data/published docs/page --axe node_modules/axe-core/axe.min.js

Without --axe only pictures are made. Every view is checked at desktop and phone width: nothing may stick out sideways.
"""

import argparse
import base64
import io
import json
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from tests.serving.browser import is_loaded
from tests.serving.server import running_server

WIDTHS = {"desktop": (1280, 900), "phone": (360, 780)}
COLOURS = 256
TALLEST = 1_600
USER = "demo-python-almaty"
PICTURES = ("applications", "calendar", "company", "comparison", "market")  # what is kept
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip


@contextmanager
def open_browser() -> Iterator[webdriver.Chrome]:
    with tempfile.TemporaryDirectory(prefix="jobfeed-page-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


def resize(browser: webdriver.Chrome, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def views(url: str, user: str) -> dict[str, str]:
    """The address of each view, with two companies that hire most."""
    with urllib.request.urlopen(f"{url}/v1/companies?limit=2") as answer:
        first, second = (quote(one["company_id"], safe="") for one in json.load(answer)["companies"])
    of_user = {name: f"{name}?user={quote(user)}" for name in ("feed", "applications", "calendar", "skills")}
    return {
        "start": "feed", **of_user, "companies": "companies", "company": f"companies?id={first}",
        "comparison": f"companies?id={first}&with={second}", "market": "market", "trending": "trending",
        "metrics": "metrics", "generation": "generation",
    }  # fmt: skip


def problems(browser: webdriver.Chrome, axe: str | None) -> list[str]:
    """What is wrong with the view that is shown."""
    found = [line["message"] for line in browser.get_log("browser") if line["level"] in ("WARNING", "SEVERE")]
    wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        found.append(f"sticks out by {wide} px")
    if axe is not None:
        browser.execute_script(axe)
        run = "const done = arguments[0]; axe.run(document).then(found => done(found.violations))"
        for violation in browser.execute_async_script(run):
            places = ", ".join(str(node["target"]) for node in violation["nodes"][:3])
            found.append(f"{violation['id']} ({violation['impact']}, {len(violation['nodes'])}): {places}")
    return found


def take(browser: webdriver.Chrome, picture: Path, *, width: int) -> None:
    """Writes the view, down to TALLEST pixels, as a PNG of few colours."""
    height = min(TALLEST, browser.execute_script("return document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
        image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            picture, optimize=True
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--user", default=USER)
    parser.add_argument("--all", action="store_true", help="keep pictures of every view")
    options = parser.parse_args()
    axe = options.axe.read_text(encoding="utf-8") if options.axe else None
    options.pictures.mkdir(parents=True, exist_ok=True)
    n_problems = 0
    with running_server(options.published, "--no-access-log") as server, open_browser() as browser:
        for width_name, size in WIDTHS.items():
            resize(browser, *size)
            for name, address in views(server.url, options.user).items():
                browser.get("about:blank")
                browser.get(f"{server.url}/#/{address}")
                WebDriverWait(browser, 60, poll_frequency=0.1).until(is_loaded)
                browser.execute_script("return new Promise(done => setTimeout(done, 700))")
                for problem in problems(browser, axe):
                    n_problems += 1
                    print(f"{name} at {size[0]} px: {problem}")
                if options.all or name in PICTURES:
                    take(browser, options.pictures / f"{name}-{width_name}.png", width=size[0])
    print(f"{n_problems} problems")
    return int(n_problems > 0)


if __name__ == "__main__":
    sys.exit(main())
