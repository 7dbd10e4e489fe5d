"""Text out of PDF and DOCX in a process of its own with a deadline and a memory cap: such files may be made to hang or
to swell the library that reads them.
"""

import logging
import multiprocessing
import resource
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from features.sources.resume_files import ResumeError, resume_text

DEADLINE_SECONDS = 30.0
_START_SECONDS = 60.0
_MEMORY_BYTES = 4 * 1024**3


@dataclass
class TextWorker:
    """Extracts texts one after another; the process starts at the first and is replaced when it had to be killed."""

    deadline_seconds: float = DEADLINE_SECONDS
    _process: SpawnProcess | None = None
    _pipe: Connection | None = None

    def text(self, body: bytes, suffix: str) -> str:
        """The text of a file. Raises ResumeError: the reader's reason, or `too_slow`, or `unreadable` if it died."""
        pipe = self._started()
        try:
            pipe.send((body, suffix))
            if not pipe.poll(self.deadline_seconds):
                self.close()
                raise ResumeError("too_slow")
            is_text, answer = pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise ResumeError("unreadable") from None
        if not is_text:
            raise ResumeError(answer)
        return str(answer)

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
    """The process: answers (body, suffix) with (True, text) or (False, reason) until the pipe is closed."""
    logging.disable(logging.CRITICAL)  # the libraries quote what they stumble over
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    pipe.send(_READY)
    while True:
        try:
            body, suffix = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (True, resume_text(body, suffix))
        except ResumeError as error:
            answer = (False, error.reason)
        except (Exception, RecursionError):  # whatever a hostile file makes the libraries do
            answer = (False, "unreadable")
        pipe.send(answer)
