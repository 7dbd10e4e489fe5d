"""Runs a part of a benchmark in a process of its own, so that its peak memory is its own too."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def measure_in_child(module: str, arguments: Sequence[str]) -> tuple[Any, float]:
    """What `python -m module` printed as JSON, and its peak memory in GiB. Exits if the child fails."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        printed = child.stdout.read() if child.stdout else b""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)}: exit code {child.returncode}")
    return json.loads(printed), usage.ru_maxrss / 2**20
