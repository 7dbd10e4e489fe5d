"""The real service in a process of its own, on a free port of loopback."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_STARTS_WITHIN_SECONDS = 60


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def stop(self) -> int:
        """Asks it to stop as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextmanager
def running_server(
    published: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    errors: Path | None = None,
    module: str = "serving",
    port: int | None = None,
) -> Iterator[Server]:
    port = port or free_port()
    words = ["--published", str(published), "--port", str(port), *options]
    with start_server(words, port, environment or {}, log=log, errors=errors, module=module) as server:
        _wait(server)
        yield server


@contextmanager
def start_server(
    words: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    *,
    log: Path | None = None,
    errors: Path | None = None,
    module: str = "serving",
) -> Iterator[Server]:
    """A service that may not be ready yet."""
    command = [sys.executable, "-m", module, *words]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with (log or Path(os.devnull)).open("wb") as output, (errors or Path(os.devnull)).open("wb") as error_output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=error_output, cwd=ROOT)
        try:
            yield Server(port, process)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Server) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the service ended with {server.process.returncode}")
        try:
            if server.get("/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("the service did not start")
