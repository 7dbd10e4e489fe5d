"""A board and a small HeadHunter on loopback, in a process of their own, which the campaign can tell to fail."""

import datetime as dt
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.campaign_runs import START, Child, forked

if TYPE_CHECKING:
    from tests.assets.ingest.http.fault_server import Answer, Request

_HOUR = dt.timedelta(hours=1)
_N_ITEMS = 6
# What a source answers instead of what it should; a page of rubbish is drawn anew for every answer.
FAULTS = (
    "resets", "hangs", "cut off", "drips", "no answer of HTTP", "rubbish", "HTML", "empty", "429", "500", "502", "503",
)  # fmt: skip
PLACES = ("/", "/feed.xml", "/hh/", "/hh/vacancies", "/hh/vacancies/")


@dataclass
class Sources:
    """The sources of the data folders in `folder`. Their content is the same in every round of an episode."""

    folder: Path
    server: Child

    @classmethod
    def start(cls, folder: Path) -> "Sources":
        """Starts the server and writes the configuration that names it. It ends with this process."""
        port, parent = folder / "port", os.getpid()
        port.unlink(missing_ok=True)
        found = cls(folder, forked(lambda: _serve(folder, parent), folder / "sources.out"))
        found.offer(0)
        found.mend()
        while not port.exists():
            if found.server.has_ended():
                raise SystemExit(f"the server of the sources ended:\n{found.server.printed()}")
            time.sleep(0.05)
        _configure(folder / "config", int(port.read_text()))
        return found

    def offer(self, number: int) -> None:
        """From now on the sources list `number` more jobs than at first."""
        _replace(self.folder / "offered", number)

    def fail(self, what: str, place: str, n_times: int) -> None:
        """The next `n_times` answers below the path `place` are `what`."""
        _replace(self.folder / "failing", {"what": what, "place": place, "n_times": n_times, "id": time.monotonic_ns()})

    def mend(self) -> None:
        """The sources answer as they should."""
        _replace(self.folder / "failing", {})


def _replace(path: Path, value: object) -> None:
    path.with_suffix(".new").write_text(json.dumps(value))
    path.with_suffix(".new").replace(path)


def _configure(folder: Path, port: int) -> None:
    """Short waits: a source that hangs would hold every round for minutes."""
    folder.mkdir(exist_ok=True)
    http = {
        "allowed_private_hosts": ["127.0.0.1"], "requests_per_host_per_second": 50, "max_attempts": 2,
        "connect_timeout_seconds": 2, "total_deadline_seconds": 4, "source_deadline_seconds": 12,
    }  # fmt: skip
    feed = {"name": "board", "url": f"http://127.0.0.1:{port}/feed.xml", "enabled": True, "min_interval_minutes": 1}
    hh = {
        "enabled": True, "base_url": f"http://127.0.0.1:{port}/hh", "requests_per_second": 10,
        "queries": [{"name": "all", "area": ["40"]}],
    }  # fmt: skip
    (folder / "sources.yaml").write_text(json.dumps({"http": http, "feeds": [feed], "hh": hh}))


def _serve(folder: Path, parent: int) -> None:
    from tests.assets.ingest.hh.hh_server import HHServer, Vacancy
    from tests.assets.ingest.http.fault_server import FaultServer

    failing = _Failing(folder / "failing")
    with FaultServer() as server:
        hh = HHServer(server)
        answer = hh._answer

        def offered() -> int:
            return int(json.loads((folder / "offered").read_text()))

        def headhunter(request: "Request") -> "Answer":
            hh.add(*(Vacancy(7000 + n, START - n * _HOUR) for n in range(1, _N_ITEMS + offered())))
            return failing.answer(request, lambda: answer(request))

        server.route("/hh/*", headhunter)
        server.route("/feed.xml", lambda request: failing.answer(request, lambda: _feed(_N_ITEMS + offered())))
        (folder / "port.new").write_text(server.url.rpartition(":")[2])
        (folder / "port.new").replace(folder / "port")
        while os.getppid() == parent:
            time.sleep(0.5)


class _Failing:
    """Answers as the file says that the campaign writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._met: dict[int, int] = {}

    def answer(self, request: "Request", proper: Callable[[], "Answer"]) -> "Answer":
        failing: Mapping[str, object] = json.loads(self._path.read_text())
        if not failing or not request.path.startswith(str(failing["place"])):
            return proper()
        number = int(str(failing["id"]))
        self._met[number] = self._met.get(number, 0) + 1
        if self._met[number] > int(str(failing["n_times"])):
            return proper()
        return _wrong(str(failing["what"]), proper())


def _wrong(what: str, proper: "Answer") -> "Answer":
    from tests.assets.ingest.http.fault_server import Answer

    page = b"<html><body>Bad gateway</body></html>"
    answers: Mapping[str, Callable[[], Answer]] = {
        "resets": lambda: Answer(resets=True),
        "hangs": lambda: Answer(hangs=True),
        "cut off": lambda: Answer(200, proper.body[: len(proper.body) // 2], proper.headers, length=len(proper.body)),
        "drips": lambda: Answer(200, proper.body, proper.headers, drip_seconds=0.05),
        "no answer of HTTP": lambda: Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        "rubbish": lambda: Answer(200, random.randbytes(5_000), proper.headers),
        "HTML": lambda: Answer(200, page, {"Content-Type": "text/html"}),
        "empty": lambda: Answer(200, b""),
    }
    return answers[what]() if what in answers else Answer(int(what), page, {"Content-Type": "text/html"})


def _feed(n_items: int) -> "Answer":
    from tests.assets.ingest.http.fault_server import Answer

    items = "".join(
        f"<item><title>SQL analyst {n}</title><guid>b{n}</guid><link>https://board.example/{n}</link>"
        f"<pubDate>{format_datetime(START - n * _HOUR)}</pubDate>"
        f"<description>Python, SQL and Excel for team {n} in Almaty</description></item>"
        for n in range(1, n_items)
    )
    body = f'<rss version="2.0"><channel><title>Board</title>{items}</channel></rss>'
    return Answer(200, body.encode(), {"Content-Type": "application/rss+xml"})
