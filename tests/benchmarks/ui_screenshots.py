"""Makes the pictures of Dagster's UI in docs/dagster/: a small simulated market, a good run, and one that a gate stops.

Run by hand when assets or checks change: `python -m tests.benchmarks.ui_screenshots`. Some minutes of a core, most of
them for the two runs; `--folder` keeps their market, and takes pictures of it again.
"""

import argparse
import base64
import datetime as dt
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from pipelines.simulation.market import MarketSize, simulate
from tests.benchmarks.page_screenshots import open_browser, resize
from tests.serving.server import ROOT, free_port

PICTURES = ROOT / "docs" / "dagster"
SIZE = MarketSize(n_users=200, n_jobs=300, n_events=6_000)
N_LEAVERS = 40
AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
INSTANT = f"resources:\n  clock:\n    config:\n      instant: {AS_OF + dt.timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}\n"
SECOND_CHART = "(//*[contains(text(), 'Show Markdown')])[2]"
# A gate that fails once the leavers are erased.
STRICT = "publishing: {min_feeds_share_of_last: 0.95}\n"
WIDTH = 1440
COLOURS = 256
LONGEST_SECONDS = 300
SETTLED_SECONDS = 4  # after the last text has come, placeholders still go and edges are drawn


@dataclass(frozen=True)
class View:
    """An address of the UI, the text that shows that it is loaded, and an XPath of what is clicked then.

    What a window of `window` shows is scaled to WIDTH, and the lines below `height` are left out.
    """

    address: str
    text: str
    click: str = ""
    window: tuple[int, int] = (WIDTH, 900)
    height: int = 1_000


def views(failed_run: str) -> dict[str, View]:
    return {
        "lineage": View("/locations/jobfeed/asset-groups/ranking/lineage", "feeds", window=(2200, 1400)),
        "checks": View("/assets/ranking/feeds?view=checks&checkDetail=no_forbidden_job", "Passed"),
        "plots": View("/assets/ranking/feeds?view=events", "preview", SECOND_CHART),
        "launchpad": View(f"/locations/jobfeed/jobs/daily/playground/setup?config={quote(INSTANT)}", "No errors"),
        # Without the traceback, which names folders of the machine.
        "failed-gate": View(f"/runs/{failed_run}?logs=step%3Apublishing__generation", "not announced", height=540),
        "freshness": View("/assets/ranking/feeds?view=overview", "Last materialized"),
    }


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    parser.add_argument("--folder", type=Path, help="where the market is kept, and found the next time")
    parser.add_argument("--only", nargs="+", choices=sorted(views("")), help="make these pictures only")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jobfeed-ui-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        if not (folder / "data").is_dir():
            _make_market(folder)
        with running_ui(folder) as url, open_browser() as browser:
            for name, view in views(_failed_run(url)).items():
                if not options.only or name in options.only:
                    _show(browser, url, view)
                    _take(browser, options.pictures / f"{name}.png", view.height)


def _make_market(folder: Path) -> None:
    """A market with a good run, then one that no generation may follow."""
    simulate(folder / "data" / "landing", SIZE, seed=7, until=AS_OF)
    (folder / "config").mkdir()
    (folder / "dagster").mkdir()
    settings = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    # Paths that are not absolute are relative to the folder where the UI starts.
    settings = settings.replace("base_dir: .dagster", f"base_dir: {folder / 'dagster' / '.dagster'}")
    (folder / "dagster" / "dagster.yaml").write_text(settings, encoding="utf-8")
    if code := _run(folder, AS_OF):
        raise SystemExit(f"the first run ended with {code}")
    _erase(folder / "data" / "landing", AS_OF + dt.timedelta(minutes=30))
    (folder / "config" / "pipeline.yaml").write_text(STRICT, encoding="utf-8")
    if _run(folder, AS_OF + dt.timedelta(hours=1)) == 0:
        raise SystemExit(f"the second run was to fail by {STRICT!r}")


def _erase(landing: Path, at: dt.datetime) -> None:
    """Requests of the first users to be forgotten."""
    first, *_ = sorted((landing / "users").glob("users-0*.jsonl"))
    users = [json.loads(line)["user_id"] for line in first.read_text(encoding="utf-8").splitlines()[:N_LEAVERS]]
    lines = [json.dumps({"user_id": user, "requested_at": at.isoformat()}) + "\n" for user in users]
    (landing / "erasures").mkdir(exist_ok=True)
    (landing / "erasures" / "leavers.jsonl").write_text("".join(lines), encoding="utf-8")


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "JOBFEED_DATA": str(folder / "data"),
        "JOBFEED_CONFIG": str(folder / "config"), "DAGSTER_HOME": str(folder / "dagster"),
    }  # fmt: skip


def _run(folder: Path, as_of: dt.datetime) -> int:
    command = [sys.executable, "-m", "pipelines.cli.main", "run", "daily", "--as-of", as_of.isoformat()]
    return subprocess.run(command, env=_environment(folder), cwd=ROOT).returncode


@contextmanager
def running_ui(folder: Path) -> Iterator[str]:
    """The address of Dagster's UI over `folder`, with its daemon, which finds out how fresh the assets are."""
    port = free_port()
    command = [Path(sys.executable).parent / "dg", "dev", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, env=_environment(folder), cwd=ROOT, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=LONGEST_SECONDS)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/server_info").close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _failed_run(url: str) -> str:
    """The id of the newest run that failed."""
    query = "{runsOrError(filter: {statuses: [FAILURE]}) {... on Runs {results {runId}}}}"
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return str(found["data"]["runsOrError"]["results"][0]["runId"])


def _show(browser: webdriver.Chrome, url: str, view: View) -> None:
    resize(browser, *view.window)
    browser.get(url + view.address)
    wait = WebDriverWait(browser, LONGEST_SECONDS, poll_frequency=0.5)
    wait.until(lambda one: view.text in one.find_element(By.TAG_NAME, "body").text)
    if view.click:
        browser.find_element(By.XPATH, view.click).click()
    wait.until(lambda one: "Loading" not in one.find_element(By.TAG_NAME, "body").text)
    time.sleep(SETTLED_SECONDS)


def _take(browser: webdriver.Chrome, picture: Path, height: int) -> None:
    """Writes the first lines of the window as a PNG of few colours."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as window:
        image = window.convert("RGB")
    image = image.resize((WIDTH, image.height * WIDTH // image.width), Image.Resampling.LANCZOS)
    image = image.crop((0, 0, WIDTH, min(height, image.height)))
    image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main()
