"""One function in a process of its own, with a deadline, a memory cap and no way to write files: hostile input can make
a library hang or swell. What the function does is the caller's.
"""

import logging
import multiprocessing
import resource
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from features.errors import JobfeedError

_START_SECONDS = 60.0
_READY = "ready"
NOT_STARTED = "did_not_start"


class WorkerError(JobfeedError):
    """The function did not give an answer; the message is a reason code."""


@dataclass
class Worker:
    """Calls `function` (of a module, so that the process can import it) one call at a time, over all threads.

    The process starts at the first call and is replaced when it had to be killed.
    """

    function: Callable[..., Any]
    memory_bytes: int
    _process: SpawnProcess | None = None
    _pipe: Connection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, *arguments: Any, deadline_seconds: float) -> Any:
        """What `function` returns. Raises WorkerError: `too_slow`, `too_much_memory` if it ran out of it or died,
        `unreadable (<kind>)` for an exception, NOT_STARTED."""
        with self._lock:
            pipe = self._started()
            try:
                pipe.send(arguments)
                if not pipe.poll(deadline_seconds):
                    self._end()
                    raise WorkerError("too_slow")
                is_result, answer = pipe.recv()
            except (EOFError, OSError):
                self._end()
                raise WorkerError("too_much_memory") from None
            if not is_result:
                self._end()  # what is left of a process that ran out of memory is not to be trusted
                raise WorkerError(answer)
            return answer

    def close(self) -> None:
        """Ends the process, if there is one."""
        with self._lock:
            self._end()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None and self._process.pid is not None:
            self._process.kill()
            self._process.join()
        self._process, self._pipe = None, None

    def _started(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self.function, self.memory_bytes), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        with suppress(EOFError, OSError):
            if ours.poll(_START_SECONDS) and ours.recv() == _READY:
                return ours
        self._end()
        raise WorkerError(NOT_STARTED)


def serve(pipe: Connection, function: Callable[..., Any], memory_bytes: int) -> None:
    """The process: answers arguments with (True, result) or (False, reason) until the pipe is closed."""
    logging.disable(logging.CRITICAL)  # libraries quote what they stumble over
    warnings.simplefilter("ignore")
    # Nothing of what is read is ever written, not in a dump either.
    for what, limit in ((resource.RLIMIT_DATA, memory_bytes), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (limit, limit))
    pipe.send(_READY)
    while True:
        try:
            arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (True, function(*arguments))
        except (MemoryError, RecursionError):
            answer = (False, "too_much_memory")
        except Exception as error:  # whatever hostile input makes the libraries do
            answer = (False, f"unreadable ({type(error).__name__})")
        try:
            pipe.send(answer)
        except Exception:  # no memory to send it with, or nobody to send it to
            return
