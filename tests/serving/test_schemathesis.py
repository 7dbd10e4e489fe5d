"""Schemathesis asks what the OpenAPI document promises and what it forbids, and checks every answer against it."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.service.routes import ROUTES
from tests.serving.server import Server, running_server
from tests.serving.world import publish_full

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    tokens = folder / "tokens"
    tokens.write_text(f"tests {hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    environment = {"JOBFEED_API_TOKENS": str(tokens)}
    with running_server(folder, "--no-access-log", "--rate-limit", "0", environment=environment) as running:
        yield running


def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--no-color"]
    options = ["--max-examples", "10", "--generation-deterministic", "-H", f"Authorization: Bearer {TOKEN}"]
    finished = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr[-2000:]
    n_system = 3  # health, readiness, metrics
    assert f"{len(ROUTES) + n_system} selected" in finished.stdout
