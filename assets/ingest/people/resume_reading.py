"""Resume files to their text within bounds of time and memory, in a process of its own: PDF and DOCX may be made to
hang or to swell what reads them.
"""

from dataclasses import dataclass, field

from assets.ingest.worker import Worker, WorkerError
from features.sources.resumes.files import ResumeError
from features.sources.resumes.text import ReadResume, read_resume

DEADLINE_SECONDS = 30.0
MEMORY_BYTES = 2_000_000_000


def read(body: bytes, suffix: str) -> ReadResume | str:
    """What the process calls: the resume, or the reason why it can't be read."""
    try:
        return read_resume(body, suffix)
    except ResumeError as error:
        return error.reason


@dataclass
class ResumeReader:
    """Reads resumes one after another; close it, or use it as a context, to end its process."""

    deadline_seconds: float = DEADLINE_SECONDS
    worker: Worker = field(default_factory=lambda: Worker(read, MEMORY_BYTES))

    def read(self, body: bytes, suffix: str) -> ReadResume:
        """One file. Raises ResumeError: the reader's reason, or the Worker's: `too_slow`, `too_much_memory`,
        `did_not_start`; `unreadable` for what hostile files make the libraries do."""
        try:
            found: ReadResume | str = self.worker.call(body, suffix, deadline_seconds=self.deadline_seconds)
        except WorkerError as error:
            raise ResumeError(str(error).partition(" ")[0]) from None
        if isinstance(found, str):
            raise ResumeError(found)
        return found

    def __enter__(self) -> "ResumeReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()
