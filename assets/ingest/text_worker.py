"""Resumes read in a process of its own with limits on time, memory and files: they may be made to hang or to swell what
reads them.
"""

import logging
import multiprocessing
import resource
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from features.sources.resume_files import ResumeError
from features.sources.resume_text import ReadResume, read_resume

DEADLINE_SECONDS = 30.0
_START_SECONDS = 60.0
_LIMITS = {
    resource.RLIMIT_AS: 4 * 1024**3,
    resource.RLIMIT_FSIZE: 0,  # nothing of a resume is ever written, not in a dump either
    resource.RLIMIT_CORE: 0,
}


@dataclass
class TextWorker:
    """Reads resumes one after another; the process starts at the first and is replaced when it had to be killed."""

    deadline_seconds: float = DEADLINE_SECONDS
    _process: SpawnProcess | None = None
    _pipe: Connection | None = None

    def read(self, body: bytes, suffix: str) -> ReadResume:
        """One file. Raises ResumeError: the reader's reason, or `too_slow`, or `unreadable` if the process died."""
        pipe = self._started()
        try:
            pipe.send((body, suffix))
            if not pipe.poll(self.deadline_seconds):
                self.close()
                raise ResumeError("too_slow")
            answer = pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise ResumeError("unreadable") from None
        if isinstance(answer, ReadResume):
            return answer
        raise ResumeError(str(answer))

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process, self._pipe = None, None

    def _started(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        with suppress(EOFError, OSError):
            if ours.poll(_START_SECONDS) and ours.recv() == _READY:
                return ours
        self.close()
        raise ResumeError("unreadable")


_READY = "ready"


def serve(pipe: Connection) -> None:
    """The process: answers (body, suffix) with a ReadResume or a reason until the pipe is closed."""
    logging.disable(logging.CRITICAL)  # the libraries quote what they stumble over
    warnings.simplefilter("ignore")
    for what, limit in _LIMITS.items():
        resource.setrlimit(what, (limit, limit))
    pipe.send(_READY)
    while True:
        try:
            body, suffix = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_answer(body, suffix))


def _answer(body: bytes, suffix: str) -> ReadResume | str:
    try:
        return read_resume(body, suffix)
    except ResumeError as error:
        return error.reason
    except (Exception, RecursionError):  # whatever a hostile file makes the libraries do
        return "unreadable"
