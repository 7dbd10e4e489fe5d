"""Tests of how the process of a command begins and ends."""

import gc
import subprocess
import sys

import pytest

from pipelines.cli.process import made_once

_END = """
import atexit, sys, threading, time
from pipelines.cli.process import end

def late():
    time.sleep(0.2)
    print("thread")

atexit.register(print, "exit function")
threading.Thread(target=late).start()
end({status})
"""


def ended(status: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _END.format(status=status)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("status", "code", "errors"), [("None", 0, ""), ("0", 0, ""), ("3", 3, ""), ("'why'", 1, "why\n")]
)
def test_a_process_ends_like_the_interpreter_does(status: str, code: int, errors: str) -> None:
    found = ended(status)
    assert (found.returncode, found.stderr) == (code, errors)
    assert found.stdout == "thread\nexit function\n"


def test_what_is_made_once_is_never_collected_and_later_garbage_is() -> None:
    class Node:
        """An object that the collector looks at."""

    gc.unfreeze()
    try:
        with made_once():
            assert not gc.isenabled()
            kept = Node()
        assert gc.isenabled()
        assert not any(one is kept for one in gc.get_objects())
        later = Node()
        assert any(one is later for one in gc.get_objects())
    finally:
        gc.unfreeze()
