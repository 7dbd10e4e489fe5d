"""A PostgreSQL server for tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def binaries() -> Path | None:
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return installed[-1].parent if installed else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """A server of its own for the tests of a file, reached through a socket. Skips them where there is none."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no pg_ctl on the path or in /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="jf-pg-"))
    data = folder / "data"
    as_user: list[str] = []
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root.
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--clear-groups"]

    def run(program: str, *words: str) -> None:
        subprocess.run([*as_user, str(programs / program), *words], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    run("initdb", "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -h '' -F", "start")
    yield f"host={folder} user=tester dbname=postgres"
    run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)
