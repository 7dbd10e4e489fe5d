import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.service.app import Application
from serving.service.startup import PortError, published_problem, require_free_port
from tests.factories import AS_OF, publish_small
from tests.serving.client import call
from tests.serving.server import free_port
from tests.serving.world import open_store

NOW = AS_OF.timestamp()


@pytest.fixture(params=[False, True], ids=["plain", "reuse_port"])
def busy_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if request.param:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_on_which_another_program_listens_is_refused(busy_port: int, host: str) -> None:
    with pytest.raises(PortError, match=rf"{host}, port {busy_port}: Address already in use; stop the other"):
        require_free_port(host, busy_port)


def test_a_port_is_free_again_at_once_after_its_program_ended() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # the server closes first: the connection stays in TIME_WAIT
    require_free_port("127.0.0.1", port)
    require_free_port("localhost", free_port())


@pytest.mark.parametrize("host", ["no such host", "host.invalid", "192.0.2.7"])
def test_a_host_that_is_not_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises(PortError, match=host):
        require_free_port(host, free_port())


def test_what_can_not_be_served_is_told_at_the_start_and_by_readiness(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    assert "is not there" in (published_problem(folder, now=NOW) or "")
    assert readiness(folder, now=NOW) == (503, "not ready", ["the folder of published generations is not there"])
    folder.mkdir()
    assert "no generation is published yet" in (published_problem(folder, now=NOW) or "")
    assert readiness(folder, now=NOW) == (503, "not ready", ["no generation is published yet"])
    (folder / "current").write_text("rubbish")
    assert "names no generation" in (published_problem(folder, now=NOW) or "")
    assert readiness(folder, now=NOW) == (503, "not ready", ["current names no generation"])


@pytest.mark.parametrize("hours_ahead", [0.2, 24, 24 * 365 * 36])
def test_data_of_the_future_is_told_and_still_served(tmp_path: Path, hours_ahead: float) -> None:
    publish_small(tmp_path)
    now = NOW - 3600 * hours_ahead
    assert "the data is of the future" in (published_problem(tmp_path, now=now) or "")
    status, word, [reason] = readiness(tmp_path, now=now)
    assert (status, word) == (200, "stale")
    assert reason.startswith("the data is of the future, as of 2026-")


@pytest.mark.parametrize("minutes_ahead", [-60, 0, 4])
def test_clocks_that_differ_by_minutes_are_no_trouble(tmp_path: Path, minutes_ahead: float) -> None:
    publish_small(tmp_path)
    now = NOW - 60 * minutes_ahead
    assert published_problem(tmp_path, now=now) is None
    assert readiness(tmp_path, now=now) == (200, "ready", [])


def readiness(folder: Path, *, now: float) -> tuple[int, str, list[str]]:
    reply = call(Application(open_store(folder), clock=lambda: now), "/readyz")
    return reply.status, reply.json["status"], reply.json["reasons"]
