"""What a feed format is: how its bodies are read, where its other pages are, and what a request needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from features.sources.feeds.entries import Entries, FeedContext


@dataclass(frozen=True)
class JobPage:
    """An answer about one job, requested after the listing that names it. Another `mark` says that the job changed."""

    url: str
    mark: str = ""


@dataclass(frozen=True)
class Credential:
    """A secret from the environment variable `variable`, sent to `host` only, as a header or a query parameter."""

    variable: str
    name: str
    host: str
    is_header: bool = False
    template: str = "{}"
    is_required: bool = True


def _no_job_pages(url: str, body: bytes) -> list[JobPage]:
    return []


@dataclass(frozen=True)
class FeedFormat:
    """One format.

    `next_pages` and `job_pages` take the URL of a listing, without credentials, and the body that it answered.
    `jobs_at` is the key of the array of jobs in a JSON document (None: the document is the array), and a document has
    this format if a job in it has a key of `known_by`. XML is known by `root_tags`. A format with `newest_first` is
    read back to the last reading, because it has too many jobs to list all. A crawled format is a website: its
    robots.txt is obeyed, and no other host is asked.
    """

    read: Callable[[bytes, FeedContext], Entries]
    next_pages: Callable[[str, bytes], list[str]] = lambda url, body: []
    job_pages: Callable[[str, bytes], list[JobPage]] = _no_job_pages
    credentials: tuple[Credential, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    jobs_at: str | None = None
    known_by: frozenset[str] = frozenset()
    root_tags: frozenset[str] = frozenset()
    newest_first: bool = False
    is_crawled: bool = False

    @property
    def has_job_pages(self) -> bool:
        """Whether a document of the format may be about one job, and not a listing."""
        return self.job_pages is not _no_job_pages
