"""One function in a process of its own, with a deadline, a memory cap and no way to write files.

Hostile input can make a library hang or take all memory. The function decides what the input means.
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
    """The function gave no answer; the message is a reason code."""


@dataclass
class Worker:
    """Calls `function` one call at a time, over all threads. The process must be able to import `function`.

    The process starts at the first call and is replaced after it had to be killed. `refusal` is the error by which
    `function` refuses its input: it is raised again here, and the process goes on.
    """

    function: Callable[..., Any]
    memory_bytes: int
    refusal: type[Exception] = WorkerError
    _process: SpawnProcess | None = None
    _pipe: Connection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, *arguments: Any, deadline_seconds: float, **named: Any) -> Any:
        """What `function` returns.

        Raises `refusal`, or WorkerError: `too_slow`, `too_much_memory` if it ran out of memory or died, NOT_STARTED,
        `unreadable (<kind>)` for another exception.
        """
        with self._lock:
            pipe = self._started()
            try:
                pipe.send((arguments, named))
                if not pipe.poll(deadline_seconds):
                    self._end()
                    raise WorkerError("too_slow")
                answer = pipe.recv()
            except (EOFError, OSError):
                self._end()
                raise WorkerError("too_much_memory") from None
            if isinstance(answer, WorkerError):
                self._end()  # a process that ran out of memory is not to be trusted
            if isinstance(answer, Exception):
                raise answer
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
        settings = (theirs, self.function, self.memory_bytes, self.refusal)
        self._process = context.Process(target=serve, args=settings, daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        with suppress(EOFError, OSError):
            if ours.poll(_START_SECONDS) and ours.recv() == _READY:
                return ours
        self._end()
        raise WorkerError(NOT_STARTED)


def serve(pipe: Connection, function: Callable[..., Any], memory_bytes: int, refusal: type[Exception]) -> None:
    """The process: answers arguments with the result or an exception until the pipe is closed."""
    logging.disable(logging.CRITICAL)  # libraries quote the input that they fail on
    warnings.simplefilter("ignore")
    # Nothing that is read may be written to disk, not even in a core dump.
    for what, limit in ((resource.RLIMIT_DATA, memory_bytes), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (limit, limit))
    pipe.send(_READY)
    while True:
        try:
            arguments, named = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = function(*arguments, **named)
        except refusal as error:
            answer = error
        except (MemoryError, RecursionError):
            answer = WorkerError("too_much_memory")
        except Exception as error:  # whatever hostile input makes the libraries do
            answer = WorkerError(f"unreadable ({type(error).__name__})")
        try:
            pipe.send(answer)
        except Exception:  # no memory to send it with, or no process to send it to
            return
