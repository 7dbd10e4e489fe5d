"""Makes the picture of the evaluation report in docs/: a simulated market, `jobfeed evaluate`, a headless Chromium.

Run by hand when the report changes: `python -m tests.benchmarks.report_screenshot`. Some minutes of a core.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.benchmarks.bench_markets import UNTIL, run

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "evaluation-report.png"
WIDTH, HEIGHT = 1400, 1800  # the first part: what was held out, all figures of all users, the plots


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, help="A report to show; default: that of a simulated market.")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jobfeed-report-") as folder:
        take(options.report or evaluated(Path(folder)), options.picture)


def evaluated(folder: Path) -> Path:
    """The report of a market that is always the same."""
    landing = folder / "landing"
    run("simulate", str(landing), f"--until={UNTIL}", "--users=1500", "--jobs=1200", "--events=80000", "--seed=1")
    run("evaluate", f"--landing={landing}", "--holdout=time", "--days=7", data=folder / "data")
    (report,) = (folder / "data").glob("evaluation/*/report.html")
    report.write_text(report.read_text(encoding="utf-8").replace(str(landing), "landing"), encoding="utf-8")
    return report


def take(report: Path, picture: Path) -> None:
    """Writes the first part of the page as a PNG."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(argument)
    options.binary_location = str(shutil.which("chromium") or shutil.which("google-chrome"))
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.get(report.resolve().as_uri())
        browser.save_screenshot(picture)
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
