"""Makes the pictures of digests in docs/: both languages at the width of a phone and of a window, light and dark.

Run by hand when digests change: `python -m tests.benchmarks.digest_screenshots`. A minute of a core.
"""

import argparse
import base64
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.assets.digests.digest_world import rendered

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "digests"
LANGUAGES = ("ru", "en")
WIDTHS = (375, 800)
THEMES = ("light", "dark")
COLOURS = 48


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=PICTURES)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    browser = _browser()
    try:
        with tempfile.TemporaryDirectory(prefix="jobfeed-digests-") as pages:
            for language in LANGUAGES:
                page = Path(pages) / f"{language}.html"
                page.write_text(rendered(language)["html"], encoding="utf-8")
                browser.get(page.as_uri())
                for width in WIDTHS:
                    for theme in THEMES:
                        _take(browser, folder / f"{language}-{width}-{theme}.png", width=width, theme=theme)
    finally:
        browser.quit()


def _browser() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"):
        options.add_argument(argument)
    options.binary_location = str(shutil.which("chromium") or shutil.which("google-chrome"))
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def _take(browser: webdriver.Chrome, picture: Path, *, width: int, theme: str) -> None:
    """Writes the whole page as a PNG of few colours."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 600, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main()
