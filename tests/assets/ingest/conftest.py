"""Fixtures of the ingest tests: a lake in a temporary folder, a faulty server, a client that does not wait."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.ingest.http.client import HttpClient
from assets.lake import Lake
from tests.assets.ingest.http.fault_server import FakeTime, FaultServer, fault_server, make_client


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return tmp_path / "landing"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(fake_time: FakeTime) -> HttpClient:
    return make_client(fake_time)
