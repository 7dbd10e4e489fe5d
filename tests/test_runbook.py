"""The runbook, tried: each trouble is provoked, its message is seen, its commands are run, and then all is well."""

import datetime as dt
import http.server
import json
import os
import re
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from assets.erasing.requests import request
from assets.ingest.report import RunReport
from assets.ingest.run_log import record_runs
from assets.lake import Lake
from assets.publishing import generations
from assets.run_ledger import open_entry
from features.schemas.bronze import EVENTS
from features.schemas.catalog import USERS
from pipelines.mending import mend
from pipelines.simulation.market import MarketSize, simulate
from serving.contract.generation import POINTER
from tests.assets.digests.mail_server import Inbox, mail_server
from tests.assets.digests.mail_world import KEY, SENDER, mail_world
from tests.assets.ingest.hh.hh_server import FAULTS, HHServer
from tests.assets.ingest.http.fault_server import fault_server
from tests.factories import publish_small
from tests.serving.server import free_port, running_server

ROOT = Path(__file__).resolve().parent.parent
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
HOUR = dt.timedelta(hours=1)
FEED = (
    '<rss version="2.0"><channel><title>b</title><item><title>Python developer</title><guid>g1</guid>'
    "<link>https://board.example/1</link><description>Python and SQL</description></item></channel></rss>"
)


@dataclass(frozen=True)
class Trouble:
    """A section of the runbook: what one sees, what one types, and by what one sees that it is mended."""

    title: str
    seen: tuple[str, ...]
    steps: tuple[str, ...]
    check: str

    def is_seen_in(self, output: str) -> bool:
        """Whether one of the messages stands in the output, whatever stands for each …"""
        flat = " ".join(output.split())
        return any(re.search(".*".join(map(re.escape, line.split("…"))), flat) for line in self.seen)


def troubles() -> dict[str, Trouble]:
    found = {}
    for section in RUNBOOK.split("\n## ")[1:]:
        title, body = section.split("\n", 1)
        seen = [line for block in re.findall(r"```text\n(.*?)```", body, re.DOTALL) for line in block.splitlines()]
        *steps, check = re.findall(r"```sh\n(.*?)```", body, re.DOTALL)
        found[title] = Trouble(title, tuple(seen), tuple(steps), check)
    return found


TROUBLES = troubles()


@dataclass(frozen=True)
class Shell:
    """Runs commands as an operator does: `jobfeed` is on the path, the folders are in the environment."""

    data: Path
    bin: Path
    environment: Mapping[str, str]

    def run(self, script: str, **words: object) -> subprocess.CompletedProcess[str]:
        for name, value in words.items():
            script = re.sub(rf"\b{name}\b", str(value), script)
        command = ["bash", "-uo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=ROOT, env=dict(self.environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=900, check=False,
        )  # fmt: skip

    def sees(self, trouble: Trouble, script: str, **words: object) -> None:
        """The trouble's message comes of the script."""
        done = self.run(script, **words)
        assert trouble.is_seen_in(done.stdout), done.stdout[-3000:]

    def mends(self, trouble: Trouble, **words: object) -> None:
        """Runs the trouble's commands, each of which must succeed, and looks whether that helped."""
        for step in trouble.steps:
            done = self.run(f"set -e\n{step}", **words)
            assert done.returncode == 0, done.stdout[-3000:]
        self.is_well(trouble, **words)

    def is_well(self, trouble: Trouble, **words: object) -> None:
        for line in filter(None, trouble.check.splitlines()):
            command, _, expected = line.partition("    # ")
            done = self.run(command, **words)
            assert done.returncode == 0, done.stdout[-3000:]
            assert expected in " ".join(done.stdout.split()) or expected in done.stdout, done.stdout[-3000:]


def shell_of(folder: Path, **environment: str) -> Shell:
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "jobfeed").write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines.cli.main "$@"\n')
    (programs / "jobfeed").chmod(0o755)
    data, home = folder / "data", folder / "dagster"
    (data / "lake").mkdir(parents=True)
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\nstorage: {sqlite: {base_dir: .dagster/storage}}\n"
        "local_artifact_storage: {module: dagster._core.storage.root, class: LocalArtifactStorage, "
        "config: {base_dir: .dagster}}\n"
    )
    own = {
        "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "JOBFEED_DATA": str(data),
        "DAGSTER_HOME": str(home), "JOBFEED_LOG_FORMAT": "text", "NO_COLOR": "1", "COLUMNS": "200",
    }  # fmt: skip
    return Shell(data, programs, {**os.environ, **own, **environment})


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Two generations of now, and no lake to speak of."""
    shell = shell_of(tmp_path)
    for hours in (2, 1):
        publish_small(shell.data / "published", as_of=now() - hours * HOUR)
    return shell


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def served(data: Path) -> str:
    name = generations.current_generation(data / "published")
    assert name is not None
    return name


def test_the_runbook_has_for_each_trouble_what_to_type_and_how_to_see_that_it_is_mended() -> None:
    assert len(TROUBLES) >= 15
    for trouble in TROUBLES.values():
        assert trouble.check.strip(), trouble.title


def test_each_message_of_the_runbook_is_one_of_the_program() -> None:
    code = "".join(
        re.sub(r'"\s*\n?\s*f?"', "", path.read_text(encoding="utf-8"))
        for package in ("pipelines", "assets", "features", "serving")
        for path in (ROOT / package).rglob("*.py")
    )
    for name in ("USER", "PASSWORD"):
        code = code.replace(f"{{{name}_VARIABLE}}", f"JOBFEED_SMTP_{name}")
    ours = [line for trouble in TROUBLES.values() for line in trouble.seen]
    others = (
        "No space left on device",
        "Read-only file system",
        "Unexpected exit from worker-",
        "Address already in use",
    )
    for line in ours:
        for part in re.split(r"…|\d+|: | since ", line):
            words = part.strip(" ;:%").strip()
            assert len(words) < 12 or words in code or any(other in words for other in others), (line, words)


@contextmanager
def private_mount(tmp_path: Path) -> Iterator[str]:
    """The beginning of a script with mounts of its own; skips where that is not allowed."""
    probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    if shutil.which("unshare") is None or probe.returncode != 0:
        pytest.skip("mounts are not allowed here")
    yield str(tmp_path)


def in_mounts(shell: Shell, script: str) -> subprocess.CompletedProcess[str]:
    wrapped = replace(shell, environment={**shell.environment, "SCRIPT": script})
    return wrapped.run('unshare -rm bash -uo pipefail -c "$SCRIPT"')


def test_a_full_disk(shell: Shell, tmp_path: Path) -> None:
    trouble = TROUBLES["The disk is full"]
    with private_mount(tmp_path):
        steps = trouble.steps[0]
        done = in_mounts(
            shell,
            f"""set -e
            cp -a {shell.data} {tmp_path}/kept; mount -t tmpfs -o size=60m tmpfs {shell.data}
            cp -a {tmp_path}/kept/. {shell.data}/; mkdir -p {shell.data}/damaged
            dd if=/dev/zero of={shell.data}/damaged/old bs=1M 2>/dev/null || true
            jobfeed erase somebody || echo REFUSED
            {steps}
            jobfeed erase somebody && echo TAKEN
            {trouble.check}
            """,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        before, after = done.stdout.split("REFUSED")
        assert trouble.is_seen_in(before)
        assert "TAKEN" in after
        assert "all is well" in after


def test_a_read_only_disk(shell: Shell, tmp_path: Path) -> None:
    trouble = TROUBLES["The disk is read-only"]
    with private_mount(tmp_path):
        (step,) = trouble.steps
        done = in_mounts(
            shell,
            f"""set -e
            mount --bind {shell.data} {shell.data}; mount -o remount,ro,bind {shell.data}
            jobfeed erase somebody || echo REFUSED
            {step.replace("MOUNTPOINT", str(shell.data)).replace("remount,rw", "remount,rw,bind")}
            {trouble.check}
            jobfeed erase somebody
            """,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        before, after = done.stdout.split("REFUSED")
        assert trouble.is_seen_in(before)
        assert "writable" in after


def test_a_damaged_generation(shell: Shell) -> None:
    trouble = TROUBLES["A generation is damaged"]
    damaged = next((shell.data / "published" / served(shell.data) / "tables").glob("jobs.parquet"))
    body = bytearray(damaged.read_bytes())
    damaged.unlink()  # generations share files
    body[len(body) // 2] ^= 255
    damaged.write_bytes(body)
    shell.sees(trouble, "jobfeed status")
    shell.mends(trouble)


@pytest.mark.parametrize("trouble", ["The service answers 503"])
def test_a_service_that_answers_503(shell: Shell, trouble: str) -> None:
    name = served(shell.data)
    (shell.data / "published" / POINTER).unlink()
    port = free_port()
    with (shell.data / "errors").open("wb") as errors:
        service = subprocess.Popen(
            [str(shell.bin / "jobfeed"), "serve", "--port", str(port), "--no-access-log"],
            env=dict(shell.environment), cwd=ROOT, stdout=errors, stderr=errors,
        )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while shell.run("curl -s http://127.0.0.1:PORT/readyz", PORT=port).returncode and time.monotonic() < until:
            time.sleep(0.1)
        shell.sees(TROUBLES[trouble], "curl -s http://127.0.0.1:PORT/v1/trending", PORT=port)
        for step in TROUBLES[trouble].steps:
            assert shell.run(step, NAME=name).returncode == 0
        while "stale" not in (state := shell.run("curl -s http://127.0.0.1:PORT/readyz", PORT=port).stdout):
            if '"ready"' in state or time.monotonic() > until:
                break
            time.sleep(0.1)
        shell.is_well(TROUBLES[trouble], PORT=port)
    finally:
        service.terminate()
        service.wait(timeout=60)


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss of iproute2")
def test_a_busy_port(shell: Shell) -> None:
    trouble = TROUBLES["The port is busy"]
    with running_server(shell.data / "published") as first:
        shell.sees(trouble, "jobfeed serve --port PORT", PORT=first.port)
        for step in trouble.steps:
            done = shell.run(step, PORT=first.port, NUMBER=first.process.pid)
            assert done.returncode == 0, done.stdout
            assert "kill" not in step or first.process.wait(timeout=60) is not None
        shell.is_well(trouble, PORT=first.port)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_worker_that_dies(shell: Shell, tmp_path: Path) -> None:
    trouble = TROUBLES["A worker of the service dies"]
    log = tmp_path / "log"
    with running_server(shell.data / "published", "--workers", "2", errors=log) as server:
        parent = server.process.pid
        workers = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(workers[-1]), signal.SIGKILL)
        until = time.monotonic() + 60
        while not trouble.is_seen_in(log.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        shell.sees(trouble, f"cat {log}")
        while shell.run("curl -sf http://127.0.0.1:PORT/healthz", PORT=server.port).returncode:
            assert time.monotonic() < until
        shell.is_well(trouble, PORT=server.port)


def test_a_run_that_hangs(shell: Shell) -> None:
    trouble = TROUBLES["A run hangs"]
    code = f"""if True:
        import signal, time; from pathlib import Path
        from assets.lake import Lake; from assets.run_turns import run_turn
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pytest-xdist ignores it, and so would this process
        with run_turn(Lake(Path({str(shell.data / "lake")!r})), job="daily"):
            print("runs", flush=True); time.sleep(900)"""
    with subprocess.Popen(
        [sys.executable, "-c", code], env=dict(shell.environment), cwd=ROOT, stdout=subprocess.PIPE
    ) as hanging:
        assert hanging.stdout is not None
        try:
            hanging.stdout.readline()
            shell.sees(trouble, "jobfeed run frequent --always --wait 1")
            told = shell.run("jobfeed status").stdout
            assert f"process {hanging.pid} began at" in " ".join(told.split())
            for step in trouble.steps:
                assert shell.run(f"set -e\n{step}", NUMBER=hanging.pid).returncode == 0
            hanging.wait(timeout=60)
        finally:
            hanging.kill()
    shell.is_well(trouble)


def test_a_clock_that_jumped(shell: Shell) -> None:
    trouble, name = TROUBLES["The clock jumped"], served(shell.data)
    publish_small(shell.data / "published", as_of=now() + 30 * HOUR)
    shell.sees(trouble, "jobfeed status")
    shell.mends(trouble, NAME=name)


def test_a_configuration_that_is_refused_after_an_update(shell: Shell, tmp_path: Path) -> None:
    trouble = TROUBLES["The configuration is refused after an update"]
    file = tmp_path / "config" / "pipeline.yaml"
    file.parent.mkdir()
    file.write_text("als: {factor: 64}\n")
    configured = replace(shell, environment={**shell.environment, "JOBFEED_CONFIG": str(file.parent)})
    configured.sees(trouble, "jobfeed config check")
    assert "factor" in configured.run("jobfeed config check").stdout
    file.write_text("als: {factors: 64}\n")
    configured.mends(trouble)


def test_many_entries_in_quarantine(shell: Shell, tmp_path: Path) -> None:
    trouble = TROUBLES["Many entries go to quarantine"]
    log(shell, "interactions", n_read=20, reasons={"bad_json": 15})
    shell.sees(trouble, "jobfeed status")
    event = {
        "event_id": "1", "user_id": "u", "job_id": "file:1", "event_type": "click",
        "occurred_at": (now() - HOUR).isoformat(),
    }  # fmt: skip
    corrected = tmp_path / "corrected.jsonl"
    corrected.write_text("not json\n")
    assert shell.run("jobfeed landing check FILE --as interactions", FILE=corrected).returncode == 1
    corrected.write_text(json.dumps(event) + "\n")
    for step in trouble.steps:
        done = shell.run(f"set -e\n{step}", FILE=corrected)
        assert done.returncode == 0, done.stdout[-2000:]
    log(shell, "interactions", n_read=20, reasons={})
    shell.is_well(trouble)


def test_a_source_that_falls_silent(shell: Shell) -> None:
    trouble = TROUBLES["A source falls silent"]
    for days in (20, 19, 18, 17, 16):
        log(shell, "interactions", n_read=5, reasons={}, ago=days * 24 * HOUR)
    log(shell, "users", n_read=1, reasons={}, ago=1 * HOUR)
    shell.sees(trouble, "jobfeed status")
    for step in trouble.steps:
        assert shell.run(f"set -e\n{step}").returncode == 0
    log(shell, "interactions", n_read=5, reasons={})
    shell.is_well(trouble)


def test_a_mail_server_that_refuses_the_login(shell: Shell, tmp_path: Path) -> None:
    trouble, authority, inbox = TROUBLES["The mail server refuses"], trustme.CA(), Inbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    world = mail_world(shell.data, 1)
    world.put_users(["anna"], anna={"digest_hour": now().hour})
    world.put_digests(["anna"], now().date())
    config = tmp_path / "config"
    config.mkdir()
    environment = {**shell.environment, **KEY, "JOBFEED_CONFIG": str(config)}
    environment |= {"SSL_CERT_FILE": str(tmp_path / "authority.pem"), "JOBFEED_SMTP_USER": "jobs"}
    with mail_server(inbox, tls=context, password="right") as port:
        delivery = {"host": "127.0.0.1", "port": port, "security": "starttls"}
        digest = {"sender": SENDER, "unsubscribe_url": "https://example.org/u/{token}", "delivery": delivery}
        (config / "pipeline.yaml").write_text(json.dumps({"digest": digest}))
        wrong, right = (
            replace(shell, environment={**environment, "JOBFEED_SMTP_PASSWORD": password})
            for password in ("wrong", "right")
        )
        wrong.sees(trouble, "jobfeed digests send")
        assert inbox.mails == []
        right.mends(trouble)
    assert [address for address, _ in inbox.mails] == ["anna@example.org"]


def test_a_disk_that_grows(shell: Shell) -> None:
    for name in ("landing", "models"):
        (shell.data / name).mkdir()
    shell.mends(TROUBLES["The disk grows"])


def log(
    shell: Shell, source: str, *, n_read: int, reasons: Mapping[str, int], ago: dt.timedelta = dt.timedelta(),
    is_failed: bool = False,
) -> None:  # fmt: skip
    """A row in the log of what runs read."""
    report = RunReport()
    counts = report.of(source)
    counts.n_fetched, counts.n_read, counts.n_quarantined = 1, n_read, sum(reasons.values())
    counts.n_new, counts.is_failed = n_read - counts.n_quarantined, is_failed
    counts.reasons.update(reasons)
    if is_failed:
        counts.statuses.append("failed: answered 500")
    kind = "feed_postings" if source == "board" else "events" if source == "interactions" else "user_records"
    record_runs(Lake(shell.data / "lake"), report, kind=kind, as_of=now() - ago)


class _Board(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(FEED)))
        self.end_headers()
        self.wfile.write(FEED.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A small market after a daily run, with a board on this machine as its only feed."""
    folder = tmp_path_factory.mktemp("market")
    board = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Board)
    threading.Thread(target=board.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    config = folder / "config"
    config.mkdir()
    feed = {"name": "board", "url": f"http://127.0.0.1:{board.server_port}/feed.xml", "enabled": True}
    sources = {"http": {"allowed_private_hosts": ["127.0.0.1"]}, "feeds": [feed]}
    (config / "sources.yaml").write_text(json.dumps(sources))
    shell = shell_of(folder, JOBFEED_CONFIG=str(config))
    size = MarketSize(n_users=60, n_jobs=60, n_events=800)
    simulate(shell.data / "landing", size, seed=3, until=now() - 2 * HOUR, event_format="parquet")
    done = shell.run("jobfeed run daily && jobfeed status")
    assert done.returncode == 0, done.stdout[-3000:]
    yield shell
    board.shutdown()
    board.server_close()


@pytest.mark.slow
def test_a_killed_run(market: Shell) -> None:
    trouble = TROUBLES["A run was killed"]
    open_entry(Lake(market.data / "lake"), run_id="killed", job="frequent", made_by="")
    market.sees(trouble, "jobfeed status")
    market.mends(trouble)


@pytest.mark.slow
def test_past_days(market: Shell) -> None:
    trouble, name = TROUBLES["Past days must be computed"], served(market.data)
    day = f"{now() - 24 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
    assert market.run("jobfeed run daily --as-of DAY", DAY=day).returncode == 0
    assert served(market.data) == name
    market.sees(trouble, "jobfeed status")
    market.mends(trouble, FIRST=day, LAST=day)
    assert served(market.data) > name


@pytest.mark.slow
def test_damaged_records_of_dagster(market: Shell) -> None:
    trouble = TROUBLES["Dagster's records are locked or damaged"]
    (home,) = (Path(market.environment["DAGSTER_HOME"]),)
    for path in (home / ".dagster").rglob("runs.db*"):
        path.unlink() if path.suffix != ".db" else path.write_bytes(b"no database" * 1000)
    market.sees(trouble, "jobfeed run frequent --always")
    market.mends(trouble)


@pytest.mark.slow
def test_locked_records_of_dagster(market: Shell) -> None:
    trouble = TROUBLES["Dagster's records are locked or damaged"]
    records = Path(market.environment["DAGSTER_HOME"]) / ".dagster/storage/history/runs.db"
    with closing(sqlite3.connect(records, isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        market.sees(trouble, "jobfeed run frequent --always")
    market.is_well(trouble)


@pytest.mark.slow
def test_a_generation_that_fails_at_the_gate(market: Shell) -> None:
    trouble, last = TROUBLES["A run fails at publishing/generation"], served(market.data)
    limits = Path(market.environment["JOBFEED_CONFIG"]) / "pipeline.yaml"
    limits.write_text("publishing: {min_feeds_share_of_last: 1}\n")
    lake = Lake(market.data / "lake")
    for user in lake.scan("catalog", USERS).sort("user_id").head(3).collect()["user_id"]:
        assert market.run("jobfeed erase USER", USER=user).returncode == 0
    market.sees(trouble, "jobfeed run frequent")
    assert served(market.data) == last
    limits.write_text("publishing: {min_feeds_share_of_last: 0.9}\n")
    market.mends(trouble)
    limits.unlink()


@pytest.mark.slow
def test_headhunter_that_refuses_requests(market: Shell, tmp_path: Path) -> None:
    trouble = TROUBLES["HeadHunter limits or refuses requests"]
    sources = json.loads((Path(market.environment["JOBFEED_CONFIG"]) / "sources.yaml").read_text())
    with fault_server() as server:
        hh = HHServer(server)
        query = {"name": "python", "text": "python", "area": ["160"]}
        sources["hh"] = {"enabled": True, "base_url": hh.url, "queries": [query]}
        (tmp_path / "sources.yaml").write_text(json.dumps(sources))
        asking = replace(market, environment={**market.environment, "JOBFEED_CONFIG": str(tmp_path)})
        for fault in ("too many requests, come later", "captcha"):
            hh.fault = FAULTS[fault]
            assert asking.run("jobfeed run hourly --always").returncode == 0
            asking.sees(trouble, "jobfeed sources list")
        hh.fault = None
        asking.mends(trouble)
        assert hh.n_searches() > 0


@pytest.mark.slow
def test_a_generation_that_is_old(market: Shell, tmp_path: Path) -> None:
    trouble, published = TROUBLES["What is served is old"], market.data / "published"
    publish_small(tmp_path, as_of=now() - 30 * HOUR)
    old = generations.current_generation(tmp_path)
    assert old is not None
    shutil.copytree(tmp_path / old, published / old)
    generations.announce(published, old)
    market.sees(trouble, "jobfeed status")
    market.mends(trouble)


@pytest.mark.slow
def test_a_source_that_fails(market: Shell) -> None:
    trouble = TROUBLES["A source fails"]
    log(market, "board", n_read=0, reasons={}, is_failed=True)
    market.sees(trouble, "jobfeed status")
    market.mends(trouble, NAME="board")


@pytest.mark.slow
def test_damaged_files(market: Shell) -> None:
    trouble = TROUBLES["A file of the lake, a model or a ledger is damaged"]
    lake, models = Lake(market.data / "lake"), market.data / "models"
    ledger = lake.folder("bronze", "landing_files") / "interactions.parquet"
    for path in (lake.file("catalog", "jobs"), next(models.rglob("*.npz")), ledger):
        path.write_bytes(path.read_bytes()[:100])
    told = "\n".join(mend(lake))  # as a run does that met one of them
    assert trouble.is_seen_in(told)
    assert told.count("was moved to") == 3
    market.sees(trouble, "jobfeed status")
    market.mends(trouble)


@pytest.mark.slow
def test_a_part_of_a_table_that_is_gone_is_named_and_read_again(market: Shell) -> None:
    lake = Lake(market.data / "lake")
    before = set(lake.scan("bronze", EVENTS).collect()["event_id"])
    gone = lake.files("bronze", EVENTS.name)[0]
    gone.unlink()
    assert f"{gone}ismissing" in "".join(market.run("jobfeed status").stdout.split())  # lines are wrapped
    done = market.run("jobfeed run frequent --always")
    assert f"{gone}ismissing(itisgone)" in "".join(done.stdout.split())
    assert "daily in place of frequent" in " ".join(done.stdout.split())
    assert set(lake.scan("bronze", EVENTS).collect()["event_id"]) == before
    assert market.run("jobfeed status && jobfeed store check --read").returncode == 0


def test_a_user_who_waits_to_be_erased_is_seen(shell: Shell) -> None:
    request(Lake(shell.data / "lake"), "anna", at=now() - 25 * HOUR)
    shell.sees(TROUBLES["A user asks to be erased"], "jobfeed status")
    assert shell.run("jobfeed erase verify USER", USER="nobody").returncode == 0
