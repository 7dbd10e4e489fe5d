"""Many connections to the stream on loopback: memory, and how fast a switch of generations reaches each of them.

    python -m tests.benchmarks.bench_stream [--connections 5000] [--seconds 60]

A service of a small published world is started; generations are switched every five seconds. A tenth of the clients
drops its connection and comes back with the id of the last event that it saw. Every client must be told of every
switch; the table says how long it took, and how much memory the process needed.
"""

import argparse
import asyncio
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from serving.contract.generation import POINTER
from tests.serving.stream.world import publish_generations

SWITCH_SECONDS = 5.0
_EVENT = re.compile(rb"event: (\w+)\ndata: ([^\n]*)\n(?:id: ([^\n]*)\n)?\n")


@dataclass
class Client:
    """One reader of the stream, and when it was told of each generation."""

    number: int
    port: int
    told: list[tuple[str, float]] = field(default_factory=list)
    last_id: str = ""
    writer: asyncio.StreamWriter | None = None

    async def read(self) -> None:
        """Connects, reads until the connection ends, and comes back with the last id."""
        while True:
            reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            headers = f"Host: 127.0.0.1\r\nLast-Event-ID: {self.last_id}\r\n" if self.last_id else "Host: 127.0.0.1\r\n"
            self.writer.write(f"GET /v1/stream?user_id=u{self.number} HTTP/1.1\r\n{headers}\r\n".encode())
            rest = b""
            try:
                while chunk := await reader.read(4096):
                    rest = self._take(rest + chunk)
            except OSError:
                pass
            await asyncio.sleep(0.05)

    def _take(self, text: bytes) -> bytes:
        end = 0
        for match in _EVENT.finditer(text):
            end = match.end()
            if match[3]:
                self.last_id = match[3].decode()
                self.told.append((self.last_id, time.monotonic()))
        return text[end:]

    def drop(self) -> None:
        """Cuts the connection."""
        if self.writer is not None:
            self.writer.transport.abort()


async def measure(
    published: Path, names: list[str], port: int, n: int, seconds: float
) -> tuple[list[Client], list[tuple[str, float]]]:
    """Runs the clients, switches, and returns them with the times of the switches."""
    clients = [Client(i, port) for i in range(n)]
    tasks = []
    for first in range(0, n, 100):
        tasks += [asyncio.create_task(client.read()) for client in clients[first : first + 100]]
        await asyncio.sleep(0.1)
    await asyncio.sleep(3)
    switches = []
    for number in range(int(seconds / SWITCH_SECONDS)):
        name = names[number % len(names)]
        pointer = published / POINTER
        (published / "next").write_text(name + "\n")
        (published / "next").replace(pointer)
        switches.append((name, time.monotonic()))
        await asyncio.sleep(SWITCH_SECONDS - 1)
        for client in clients[number % 10 :: 10]:
            client.drop()
        await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    return clients, switches


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE,
        (min(hard, options.connections + 1000) if soft < options.connections + 1000 else soft, hard),
    )
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder)
        names = publish_generations(published, 4)
        command = [sys.executable, "-m", "serving.stream", "--published", folder, "--port", "8191"]
        process = subprocess.Popen(command)
        try:
            time.sleep(8)
            clients, switches = asyncio.run(measure(published, names, 8191, options.connections, options.seconds))
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()
            process.wait()
    memory = {name: int(kilobytes) / 1024 for name, kilobytes in re.findall(r"(VmHWM|RssAnon):\s+(\d+)", status)}
    delays, lost = [], 0
    for name, at in switches[1:]:
        for client in clients:
            told = [moment - at for one, moment in client.told if one == name and 0 <= moment - at < SWITCH_SECONDS]
            delays += told[:1]
            lost += not told
    delays.sort()
    print(f"connections {options.connections}, switches {len(switches)}, not told {lost}")
    late = delays[int(0.99 * len(delays))]
    print(f"seconds to be told: median {statistics.median(delays):.2f}, 99 % {late:.2f}, most {delays[-1]:.2f}")
    print(f"memory: {memory}")


if __name__ == "__main__":
    main()
