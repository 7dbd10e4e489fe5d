"""Resume files of all formats to what they say. Nothing is inferred, and no file is kept."""

from features.sources.resumes.fields import ReadResume
from features.sources.resumes.json_resume import read_json_resume
from features.sources.resumes.text import read_document


def read_resume(
    body: bytes, suffix: str, *, places: frozenset[str] = frozenset(), model_characters: int = 0
) -> ReadResume:
    """Reads a resume of any of RESUME_SUFFIXES; `suffix` in any case. Raises ResumeError.

    Names of `places`, in small letters, are not taken for companies. The `text` for a language model has at most
    `model_characters`; JSON Resume names its fields itself and needs no model.

    A hostile file may hang its reader or exhaust its memory: read untrusted files in a process with limits.
    """
    if suffix.lower() == ".json":
        return read_json_resume(body)
    return read_document(body, suffix.lower(), places=places, model_characters=model_characters)
