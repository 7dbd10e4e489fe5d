"""What is read of a resume, and why one is refused. Importing this module loads none of the readers."""

from dataclasses import dataclass, field

from features.errors import SourceError

RESUME_SUFFIXES = (".txt", ".md", ".pdf", ".docx", ".json")
MAX_BYTES = 10_000_000


class ResumeError(SourceError):
    """A resume that can't be read; `reason` is a code: too_large, encrypted, unreadable, no_text (a scan too),
    unknown_format, bad_json."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)  # the argument itself, so that a pickled error can be restored
        self.reason = reason

    def __str__(self) -> str:
        return f"resume: {self.reason}"


@dataclass(frozen=True)
class Skill:
    """A name as written, with the stated level (beginner to expert) and years."""

    name: str
    level: str | None = None
    years: float | None = None


@dataclass(frozen=True)
class ResumeFields:
    """The columns of RESUMES that a resume can fill; None means not stated."""

    full_name: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    summary: str | None = None
    years_of_experience: float | None = None
    titles: list[str] | None = None
    companies: list[str] | None = None
    skills: list[dict[str, object]] | None = None  # {name, level, years}
    education: list[str] | None = None
    languages: list[str] | None = None


@dataclass(frozen=True)
class ReadResume:
    """What needs no vocabulary and no clock: `fields` without place, skills and years.

    `places` may name the city, the likeliest first; the first `n_labelled` of them are stated to be a place. `prose` is
    the text that may mention skills, `periods` are (first month, last month or None) of work. `text` is what a language
    model may see of the resume; it is empty unless asked for.
    """

    fields: ResumeFields
    prose: str = ""
    places: list[str] = field(default_factory=list)
    n_labelled: int = 0
    skills: list[Skill] = field(default_factory=list)
    periods: list[tuple[int, int | None]] = field(default_factory=list)
    stated_years: float | None = None
    text: str = ""
