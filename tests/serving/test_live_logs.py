"""What the service writes to standard error: JSON lines of known fields, also when a worker dies."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.contract.generation import POINTER, read_pointer
from serving.contract.logs import FIELDS
from tests.serving.server import Server, running_server
from tests.serving.world import publish_full

LONGEST_SECONDS = 30


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return folder


def lines(errors: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in errors.read_text(encoding="utf-8").splitlines()]


def wait(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.02)


def is_answering(server: Server) -> bool:
    try:
        return server.get("/healthz")[0] == 200
    except OSError:  # a connection that the killed worker had accepted
        return False


def workers_of(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_the_start_what_is_served_and_a_refusal_are_told(published: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors.jsonl"
    name = read_pointer(published)
    with running_server(published, errors=errors) as server:
        (published / POINTER).write_text("../elsewhere\n", encoding="utf-8")
        wait(lambda: len(lines(errors)) == 3)
        (published / POINTER).write_text(f"{name}\n", encoding="utf-8")
        server.get("/v1/users/anna/feed")
    start, served, refused = lines(errors)
    assert (start["event"], start["url"]) == ("serving", f"http://127.0.0.1:{server.port}/")
    assert (served["event"], served["generation"]) == ("a generation is served", name)
    assert (refused["level"], refused["event"]) == ("error", "the pointer names no generation")
    assert set().union(*lines(errors)) <= FIELDS
    assert "anna" not in errors.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_the_death_of_a_worker_is_told_and_another_takes_its_place(published: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors.jsonl"
    with running_server(published, "--workers", "2", errors=errors) as server:
        first = workers_of(server.process.pid)
        os.kill(first[-1], signal.SIGKILL)
        wait(lambda: len(set(workers_of(server.process.pid)) - set(first)) == 1)
        wait(lambda: is_answering(server))
    told = [line for line in lines(errors) if line["program"] == "granian"]
    assert [(line["level"], line["event"]) for line in told] == [("error", "Unexpected exit from worker-2")]
