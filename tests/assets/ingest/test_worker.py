"""A function in a process of its own: its answers, its deadline, its memory."""

import tempfile
import time
from collections.abc import Iterator

import pytest

from assets.ingest.worker import Worker, WorkerError


def obey(order: str) -> str:
    if order == "hang":
        time.sleep(60)
    if order == "swell":
        return str(len(bytearray(4_000_000_000)))
    if order == "write":
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    if order == "break":
        raise ValueError("secret")
    return order.upper()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(obey, memory_bytes=2_000_000_000) as running:
        yield running


def test_it_answers_and_goes_on_after_every_kind_of_failure(worker: Worker) -> None:
    assert worker.call("a", deadline_seconds=60) == "A"
    for order, reason, seconds in (
        ("break", r"unreadable \(ValueError\)", 60.0),
        ("write", r"unreadable \(FileNotFoundError\)", 60.0),  # no folder that can be written to
        ("swell", "too_much_memory", 60.0),
        ("hang", "too_slow", 0.1),
    ):
        with pytest.raises(WorkerError, match=f"^{reason}$"):
            worker.call(order, deadline_seconds=seconds)
    assert worker.call("b", deadline_seconds=60) == "B"
