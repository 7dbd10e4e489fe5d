"""JSON boards: reads the array of jobs in a document, and what their formats share: pay, places, pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from features.sources.feeds.entries import TRUNCATED, Entries, FeedContext, FeedEntry, FeedError
from features.sources.feeds.feed_format import FeedFormat
from features.sources.values import (
    NotJsonError,
    decode_json,
    first,
    flag,
    link,
    listed,
    mapping,
    number,
    pay_columns,
    pay_period,
    plain,
    strings,
    text,
)

Json = Mapping[str, object]
Columns = dict[str, object]
_MAX_CURSOR = 2_000


@dataclass(frozen=True)
class Board:
    """How one board's document is read: `jobs_at` is the key of the array of jobs (None: the document is the array),
    `id` and `urls` are keys of a job. `of_document` are columns that the document states for all of its jobs.
    """

    columns: Callable[[Json], Columns]
    jobs_at: str | None = "jobs"
    id: str | None = "id"
    urls: tuple[str, ...] = ("url",)
    base_url: str | None = None
    is_job: Callable[[Json], bool] | None = None
    is_listed: str | None = None
    states_total: bool = False
    of_document: Callable[[Json], Columns] = lambda document: {}

    def known_by(self, *keys: str, **about: object) -> FeedFormat:
        """This board as a format; a document is its if a job in it has one of `keys`."""
        return FeedFormat(
            partial(read_board, self),
            jobs_at=self.jobs_at,
            known_by=frozenset(keys),
            **about,  # type: ignore[arg-type]
        )


def read_board(board: Board, body: bytes, feed: FeedContext) -> Entries:
    """The jobs of a board. Raises FeedError if `body` has another shape.

    If the document itself counts more jobs than it holds, the last entry is TRUNCATED.
    """
    document = json_document(body, feed)
    jobs = _array(document, feed) if board.jobs_at is None else array_in(document, feed, board.jobs_at)
    if board.is_job is not None:
        jobs = [job for job in jobs if board.is_job(mapping(job))]
        if not jobs:
            raise FeedError(feed.name, "only the legal notice, no jobs")
    read_link = partial(link, base=feed.url or board.base_url)
    shared = board.of_document(mapping(document))
    for job in jobs:
        if not isinstance(job, dict):
            yield "bad_entry", job
        elif board.is_listed is not None and flag(job.get(board.is_listed)) is False:
            yield "unlisted", job  # the board does not want it to be found
        else:
            columns = {"url": first(read_link, job, *board.urls), **shared, **board.columns(job)}
            yield FeedEntry(text(job.get(board.id)) if board.id else None, columns), job
    n_stated = number(mapping(mapping(document).get("meta")).get("total")) if board.states_total else None
    if n_stated is not None and n_stated > len(jobs):
        yield TRUNCATED, {"meta": {"total": n_stated}, "jobs": len(jobs)}


def json_document(body: bytes, feed: FeedContext) -> object:
    """`body` as JSON. Raises FeedError."""
    try:
        return decode_json(body)
    except NotJsonError as error:
        raise FeedError(feed.name, f"no JSON ({error})") from None


def array_in(document: object, feed: FeedContext, name: str) -> list[object]:
    """The array `name` of a JSON object. Raises FeedError if there is none."""
    found = mapping(document).get(name)
    if not isinstance(found, list):
        raise FeedError(feed.name, f"expected a JSON object with an array {name!r}")
    return found


def page_document(body: bytes) -> object:
    """`body` as JSON, to find the next page in it; None if it is no JSON."""
    try:
        return decode_json(body)
    except NotJsonError:
        return None


def board_pay(lower: object, upper: object, *, currency: object, stated_period: object) -> Columns:
    """The columns of pay with its two bounds; `stated_period` in the board's words, such as "per-year-salary"."""
    return pay_columns(lower, upper, currency=currency, period=pay_period(stated_period))


def joined_places(places: Iterable[object]) -> str | None:
    """Several places as one text; a place may itself have commas."""
    return "; ".join(strings(places) or ()) or None


def named(value: object, name: str = "name") -> str | None:
    """The name of an object such as {"id": 1, "name": "Berlin"}, or `value` itself if it is a text."""
    return plain(mapping(value).get(name)) or plain(value)


def plain_strings(value: object) -> list[str] | None:
    """A list of plain texts from an array, or from a text with separators."""
    return strings(plain(one) for one in (listed(value) or []))


def page_after(url: str, *, cursor: object) -> list[str]:
    """The page that a board names with a cursor; none if the cursor is blank or absurdly long."""
    found = text(cursor)
    return [with_parameters(url, cursor=found)] if found and len(found) <= _MAX_CURSOR else []


def page_at_link(url: str, next_link: object) -> list[str]:
    """The page behind a link that a board gives; only on the host of `url`."""
    found = link(next_link, url)
    return [found] if found and urlsplit(found).hostname == urlsplit(url).hostname else []


def with_parameters(url: str, **parameters: object) -> str:
    """`url` with these query parameters, in place of those it has."""
    parts = urlsplit(url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))


def whole_parameter(url: str, name: str) -> int | None:
    """A query parameter as a whole number."""
    found = dict(parse_qsl(urlsplit(url).query)).get(name, "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else None


def _array(value: object, feed: FeedContext) -> list[object]:
    if not isinstance(value, list):
        raise FeedError(feed.name, f"expected a JSON array of jobs, received {type(value).__name__}")
    return value
