"""Resume files of all formats to what they say. Nothing is inferred, and no file is kept."""

from features.sources.resumes.fields import ReadResume
from features.sources.resumes.json_resume import read_json_resume
from features.sources.resumes.text import read_document


def read_resume(body: bytes, suffix: str, *, places: frozenset[str] = frozenset()) -> ReadResume:
    """Reads a resume of any of RESUME_SUFFIXES; `suffix` in any case. Raises ResumeError.

    Names of `places`, in small letters, are not taken for companies.

    A hostile file may hang its reader or exhaust its memory: read untrusted files in a process with limits.
    """
    return read_json_resume(body) if suffix.lower() == ".json" else read_document(body, suffix.lower(), places=places)
