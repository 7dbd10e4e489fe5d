"""The service as a process: real sockets, several workers, switches of the generation under load, its end."""

import datetime as dt
import http.client
import itertools
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import orjson
import pytest

from assets.publishing import generations
from serving.service.startup import require_free_port
from tests.factories import AS_OF, publish_small, publish_small_changes
from tests.serving.server import ROOT, Server, running_server
from tests.serving.world import publish_full

# How late a worker may follow: it looks twice a second, and this machine may be busy.
FOLLOWS_WITHIN_SECONDS = 10
PATHS = ("/v1/users/anna/feed?limit=50", "/v1/jobs/hh:1/similar", "/v1/trending", "/v1/users/nobody/feed")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.jsonl"


@pytest.fixture(scope="module")
def server(published: Path, log: Path) -> Iterator[Server]:
    with running_server(published, "--workers", "2", log=log) as running:
        yield running


def ask(server: Server, raw: bytes) -> bytes:
    """What comes back for a request that asks to close the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(raw)
        return receive_all(connection)


def send_and_hang_up(server: Server, raw: bytes) -> bytes:
    """What comes back, if anything, for bytes that need not be a request."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            return receive_all(connection)
    except OSError:
        return b""  # the service hung up first


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    while block := connection.recv(65536):
        received += block
    return received


def receive_all_or_hang_up(connection: socket.socket) -> bytes:
    try:
        return receive_all(connection)
    except ConnectionResetError:
        return b""


MALFORMED = (
    b"", b"\r\n", b"\x00" * 200, b"\x16\x03\x01\x02\x00\x01\x00", b"GARBAGE\r\n\r\n", b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n", b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n", b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 600_000 + b"\r\n\r\n",
    b"GET /v1/generation HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
    b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /v1/generation HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v1/generation HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /v1/generation HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://other/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET v1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
)  # fmt: skip


def test_malformed_requests_get_4xx_and_the_service_stays(server: Server) -> None:
    rng = random.Random(7)
    noise = [rng.randbytes(rng.randrange(1, 300)) for _ in range(100)]
    cut_short = [
        b"GET /v1/users/anna/feed HTTP/1.1\r\nHost: localhost\r\nAccept: x\r\n\r\n"[:at] for at in range(0, 55, 5)
    ]
    for raw in [*MALFORMED, *noise, *cut_short]:
        statuses = re.findall(rb"^HTTP/1\.[01] (\d{3})", send_and_hang_up(server, raw), flags=re.MULTILINE)
        assert all(b"200" <= status < b"500" for status in statuses), (raw[:80], statuses)
    assert server.get("/healthz")[0] == 200


def test_wrong_requests_over_a_socket_get_a_problem(server: Server) -> None:
    for raw, status in (
        (b"DELETE /v1/generation HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"405"),
        (b"GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /v1/users/%ff/feed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"414"),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Language: "
            + b"x" * 20_000
            + b"\r\nConnection: close\r\n\r\n",
            b"431",
        ),
    ):
        head, _, body = ask(server, raw).partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == status
        assert b"content-type: application/problem+json" in head.lower()
        assert orjson.loads(body)["status"] == int(status)


def test_an_id_with_a_slash_and_a_head_request_pass_the_server(server: Server) -> None:
    status, body = server.get("/v1/users/a%2Fb%3F/feed")
    assert (status, orjson.loads(body)["user_id"]) == (200, "a/b?")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("HEAD", "/v1/users/anna/feed")
    response = connection.getresponse()
    assert int(response.headers["content-length"]) > 1000
    assert response.read() == b""
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200, "the connection can be used again"
    connection.close()


def test_metrics_are_those_of_all_workers(server: Server) -> None:
    path = "/v1/users/anna/preferences"
    for _ in range(20):
        assert server.get(path)[0] == 200
    wanted = rb'jobfeed_requests_total\{route="/v1/users/\{user_id\}/preferences",status="200"\} (\d+)'
    counts = []
    for _ in range(6):
        found = re.search(wanted, server.get("/metrics")[1])
        assert found is not None
        counts.append(float(found.group(1)))
    assert set(counts) == {20.0}


def test_the_log_has_a_line_per_request_and_no_personal_data(server: Server, log: Path) -> None:
    request_id = "trace-1234"
    headers = {"x-request-id": request_id, "authorization": "Bearer topsecret"}
    assert server.get("/v1/users/someones-name/feed?country=KZ&role=very-special", headers)[0] == 200
    _wait_until(lambda: request_id.encode() in log.read_bytes())
    written = log.read_bytes()
    line = next(orjson.loads(each) for each in written.splitlines() if request_id.encode() in each)
    assert line["route"] == "/v1/users/{user_id}/feed"
    assert (line["method"], line["status"], line["application"]) == ("GET", 200, None)
    for secret in (b"someones-name", b"anna", b"topsecret", b"very-special"):
        assert secret not in written


PATIENCE_SECONDS = 120  # a publisher starts slowly on a busy machine


def _wait_until(holds: object) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass
class Seen:
    """What one client received: number of answers, wrong answers, and the generations of each connection in order."""

    n_answers: int = 0
    wrong: list[str] = field(default_factory=list)
    orders: list[list[str]] = field(default_factory=list)


def ask_until(stop: threading.Event, port: int, seen: Seen) -> None:
    """Asks over one connection after another, and checks that each answer comes from the one generation it names."""
    for number in itertools.count():
        if stop.is_set():
            return
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        order: list[str] = []
        seen.orders.append(order)
        for turn in range(40):
            path = PATHS[(number + turn) % len(PATHS)]
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            seen.n_answers += 1
            name = response.headers.get("x-generation", "")
            if response.status != 200:
                seen.wrong.append(f"{path}: {response.status}")
                continue
            document = orjson.loads(body)
            marks = {item["job"]["title"].rpartition(" #")[2] for item in document["items"]}
            if document["generation"] != name or marks - {name[:15]} or not marks:
                seen.wrong.append(f"{path}: {name} names itself, {document['generation']} and {marks} are in it")
            if not order or order[-1] != name:
                order.append(name)
        connection.close()


def publish_marked(published: Path, number: int) -> str:
    """A generation whose titles all end with its instant; every second one is a delta."""
    as_of = AS_OF + dt.timedelta(minutes=number)
    how = publish_small_changes if number % 2 else publish_small
    return publish_full(published, as_of=as_of, mark=f" #{as_of:%Y%m%dT%H%M%S}", how=how).manifest.generation


def run_switches(published: Path, n_switches: int, *, n_clients: int = 4) -> tuple[list[Seen], list[str], list[float]]:
    """Publishes under load; returns what the clients saw, the names in order, and the slowest worker's delays."""
    names = [publish_marked(published, 0)]
    delays: list[float] = []
    stop, seen = threading.Event(), [Seen() for _ in range(n_clients)]
    with running_server(published, "--workers", "2", "--no-access-log") as server:
        clients = [threading.Thread(target=ask_until, args=(stop, server.port, each)) for each in seen]
        for client in clients:
            client.start()
        try:
            for number in range(1, n_switches + 1):
                names.append(publish_marked(published, number))
                delays.append(_seconds_until_all_follow(server, names[-1]))
        finally:
            stop.set()
            for client in clients:
                client.join()
        assert server.stop() == 0
    return seen, names, delays


def _seconds_until_all_follow(server: Server, name: str) -> float:
    started = time.monotonic()
    # Either worker may get a new connection: twelve in a row are practically never all on one.
    in_a_row = 0
    while in_a_row < 12:
        assert time.monotonic() - started < FOLLOWS_WITHIN_SECONDS, "a worker serves an old generation"
        in_a_row = in_a_row + 1 if orjson.loads(server.get("/readyz")[1])["generation"] == name else 0
    return time.monotonic() - started


def check_switches(seen: list[Seen], names: list[str]) -> None:
    assert [wrong for each in seen for wrong in each.wrong] == []
    assert all(each.n_answers > 20 for each in seen)
    position = {name: number for number, name in enumerate(names)}
    for order in (order for each in seen for order in each.orders):
        positions = [position[name] for name in order]
        assert positions == sorted(positions), "a worker went back to an older generation"
    assert {name for each in seen for order in each.orders for name in order} == set(names)


def test_switches_under_load_give_no_failed_mixed_or_stale_answer(tmp_path: Path) -> None:
    seen, names, _ = run_switches(tmp_path, 4)
    check_switches(seen, names)


def test_a_roll_back_is_followed_too(tmp_path: Path) -> None:
    first, second = publish_marked(tmp_path, 0), publish_marked(tmp_path, 1)
    with running_server(tmp_path, "--workers", "2", "--no-access-log") as server:
        for name in (first, second):
            generations.rollback(tmp_path, name)
            _seconds_until_all_follow(server, name)


def test_a_stop_cuts_no_answer_short(published: Path) -> None:
    request = b"GET /v1/users/anna/feed?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running_server(published, "--no-access-log") as server:
        connections = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(20)]
        for connection in connections:
            connection.sendall(request * 50)
        for connection in connections[:5]:
            connection.recv(1)  # it is being answered
        assert server.stop() == 0
        n_whole = 0
        for number, connection in enumerate(connections):
            received = (b"H" if number < 5 else b"") + receive_all_or_hang_up(connection)
            connection.close()
            while received:
                head, _, received = received.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))  # type: ignore[union-attr]
                assert len(received) >= length, "an answer was cut short"
                received, n_whole = received[length:], n_whole + 1
        assert n_whole >= 5


def test_a_stop_loses_no_line_of_the_log(published: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    with running_server(published, "--workers", "2", log=log) as server:
        for number in range(30):
            assert server.get("/v1/generation", {"x-request-id": f"last-{number}"})[0] == 200
        assert server.stop() == 0
    ids = [orjson.loads(line)["request_id"] for line in log.read_bytes().splitlines()]
    assert sorted(each for each in ids if each.startswith("last-")) == sorted(f"last-{number}" for number in range(30))


def test_without_tokens_the_service_binds_to_loopback_only(published: Path) -> None:
    with (
        pytest.raises(AssertionError, match="ended with 1"),
        running_server(published, "--host", "0.0.0.0"),
    ):
        pass


def test_a_killed_publisher_is_never_noticed(tmp_path: Path) -> None:
    publish_marked(tmp_path, 0)
    program = (
        "import sys; from pathlib import Path; from tests.serving.test_live import publish_marked\n"
        "for number in range(int(sys.argv[2]), 10_000): publish_marked(Path(sys.argv[1]), number)"
    )
    stop, seen = threading.Event(), Seen()
    with running_server(tmp_path, "--no-access-log") as server:
        client = threading.Thread(target=ask_until, args=(stop, server.port, seen))
        client.start()
        try:
            for turn in range(2):
                before = (tmp_path / "current").read_text()
                command = [sys.executable, "-c", program, str(tmp_path), str(1 + 1000 * turn)]
                environment = {**os.environ, "PYTHONPATH": str(ROOT)}
                with subprocess.Popen(command, cwd=ROOT, env=environment) as publisher:
                    try:
                        _wait_until(lambda known=before: (tmp_path / "current").read_text() != known)
                        time.sleep(0.37 + 0.2 * turn)
                    finally:
                        publisher.kill()
                announced = (tmp_path / "current").read_text().strip()
                _wait_until(lambda name=announced: orjson.loads(server.get("/readyz")[1])["generation"] == name)
        finally:
            stop.set()
            client.join()
    assert seen.wrong == []
    assert seen.n_answers > 100
    assert all(order == sorted(order) for order in seen.orders)


def test_sql_over_the_current_generation_goes_on_while_others_come_and_go(tmp_path: Path) -> None:
    publish_marked(tmp_path, 0)
    stop = threading.Event()
    marks: list[set[str]] = []

    def read() -> None:
        while not stop.is_set():
            name = (tmp_path / "current").read_text().strip()
            with duckdb.connect(str(tmp_path / name / "jobfeed.duckdb"), read_only=True) as con:
                rows = con.sql("select distinct split_part(title, ' #', 2) from jobs where status = 'open'").fetchall()
                con.sql("select count(*) from feed_items").fetchall()
            marks.append({mark for (mark,) in rows} | {name[:15]})

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for number in range(1, 9):
            publish_marked(tmp_path, number)
            generations.prune(tmp_path, kept=3)
        stop.set()
        reading.result()
    assert len(marks) > 3
    assert all(len(mark) == 1 for mark in marks)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_service_on_the_same_port_ends_with_a_message(published: Path, server: Server, workers: str) -> None:
    command = [sys.executable, "-m", "serving", "--published", str(published), "--port", str(server.port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    second = subprocess.run(
        [*command, "--workers", workers], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 1
    assert f"error: can't listen on 127.0.0.1, port {server.port}: Address already in use" in second.stderr
    assert server.get("/healthz")[0] == 200


def test_a_service_without_tokens_answers_to_names_of_this_machine_only(published: Path) -> None:
    with running_server(published, "--allowed-host", "jobs.example") as running:
        statuses = {
            host: running.get("/v1/generation", {"Host": host})[0]
            for host in ("evil.example", f"localhost:{running.port}", "[::1]", "jobs.example:80")
        }
    assert statuses == {"evil.example": 421, f"localhost:{running.port}": 200, "[::1]": 200, "jobs.example:80": 200}
    require_free_port("127.0.0.1", running.port)
    keys = {"JOBFEED_TOKEN_KEYS": "k" * 40}
    with running_server(published, environment=keys) as running:
        assert running.get("/v1/generation", {"Host": "proxy.example"})[0] == 401
